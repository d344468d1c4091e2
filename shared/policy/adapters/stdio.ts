import { bool, checked, enumeration, field, int32, map, object, type Schema, string } from "../../model/index.ts";
import type { LogLevel, StdioParams } from "../parameters.ts";

const LEVELS: readonly LogLevel[] = ["INFO", "WARNING", "ERROR"];

const DEFAULT_SEVERITIES: Readonly<Record<string, LogLevel>> = Object.fromEntries([
  ...["INFORMATIONAL", "INFO", "informational", "info"].map((name) => [name, "INFO"]),
  ...["WARNING", "WARN", "warning", "warn"].map((name) => [name, "WARNING"]),
  ...["ERROR", "ERR", "FATAL", "error", "err", "fatal"].map((name) => [name, "ERROR"]),
]);

export const STDIO: Schema<StdioParams> = checked(
  object({
    logStream: field(enumeration(["STDOUT", "STDERR", "FILE", "ROTATED_FILE"]), "Where lines go.", {
      default: "STDOUT",
    }),
    severityLevels: field(map(enumeration(LEVELS)), "Level of each severity; severities that are not named are INFO."),
    metricLevel: field(enumeration(LEVELS), "Level of metrics.", { default: "INFO" }),
    outputAsJson: field(bool(), "Lines of JSON (the default) or of text."),
    outputLevel: field(enumeration(LEVELS), "What is below is not written.", { default: "INFO" }),
    outputPath: field(string(), "The file of FILE and ROTATED_FILE."),
    maxMegabytesBeforeRotation: field(int32({ min: 1 }), "Size at which a rotated file is exchanged.", {
      default: "100",
    }),
    maxDaysBeforeRotation: field(int32({ min: 1 }), "Age in days at which a rotated file is exchanged.", {
      default: "30",
    }),
    maxRotatedFiles: field(int32({ min: 1 }), "Rotated files kept.", { default: "1000" }),
  }),
  (given, at) => {
    const logStream = given.logStream ?? "STDOUT";
    const isFile = logStream === "FILE" || logStream === "ROTATED_FILE";
    const outputPath = given.outputPath === "" ? undefined : given.outputPath;
    if (isFile && outputPath === undefined && at.clean("outputPath")) {
      at.errorOf("outputPath", `logStream ${logStream} needs one`, "name the file to write to");
    }
    if (!isFile && outputPath !== undefined && at.clean("logStream")) {
      at.errorOf("outputPath", `logStream ${logStream} has no file`, "remove it, or set logStream to FILE");
    }
    return {
      logStream,
      severityLevels: given.severityLevels ?? DEFAULT_SEVERITIES,
      metricLevel: given.metricLevel ?? "INFO",
      outputAsJson: given.outputAsJson ?? true,
      outputLevel: given.outputLevel ?? "INFO",
      outputPath,
      maxMegabytesBeforeRotation: given.maxMegabytesBeforeRotation ?? 100,
      maxDaysBeforeRotation: given.maxDaysBeforeRotation ?? 30,
      maxRotatedFiles: given.maxRotatedFiles ?? 1000,
    };
  },
);
