import type { AppName, BookinfoConfig } from "./config.ts";
import { detailsRoutes } from "./details.ts";
import { productPageRoutes } from "./productpage.ts";
import { ratingsRoutes } from "./ratings.ts";
import { reviewsRoutes } from "./reviews.ts";
import { type AppServer, type Route, startServer } from "./server.ts";
import { createServiceClient, type ServiceClient } from "./service-client.ts";

export interface BookinfoApp {
  readonly port: number;
  /** Finishes running requests, at most `deadlineMs` (10 s: as long as the slowest call may take). */
  stop(deadlineMs?: number): Promise<void>;
}

const STOP_DEADLINE_MS = 10_000;

/** Starts one of the four services. */
export async function startBookinfo(
  name: AppName,
  config: BookinfoConfig,
  log: (text: string) => void,
): Promise<BookinfoApp> {
  const client = createServiceClient(config.proxy);
  const server: AppServer = await startServer(routesOf(name, config, client, log), config.host, config.port);
  return {
    port: server.port,
    async stop(deadlineMs = STOP_DEADLINE_MS) {
      await server.close(deadlineMs);
      client.close();
    },
  };
}

function routesOf(
  name: AppName,
  config: BookinfoConfig,
  { call }: ServiceClient,
  log: (text: string) => void,
): Route[] {
  const { services, ratingsEnabled, starColor } = config;
  switch (name) {
    case "productpage":
      return productPageRoutes({ services, call, log });
    case "details":
      return detailsRoutes(config.version);
    case "reviews":
      return reviewsRoutes({ ratingsEnabled, starColor, ratings: services.ratings, call, log });
    case "ratings":
      return ratingsRoutes();
  }
}
