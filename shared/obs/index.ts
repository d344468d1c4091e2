export { type AdminServerOptions, buildAdminServer, listenOn } from "./admin-server.ts";
export { createLogger, type Logger, type LogOptions } from "./log.ts";
export { lastingFigures, type MetricFigures, mergedMetrics } from "./metric-figures.ts";
export { Metrics } from "./metrics.ts";
export { EXIT, type ProcessOptions, runProcess } from "./process.ts";
