import { randomBytes } from "node:crypto";
import { mkdir, open, readFile, rename, rm } from "node:fs/promises";
import { join } from "node:path";
import { WireError } from "../../../shared/base/index.ts";
import { type CandidateMaterial, fromPem, type IdentityMaterial } from "./material.ts";

const FILE = "identity.json";

/**
 * The workload's certificate and key on disk, so that a restarted proxy serves before anybody answers. One file of
 * mode 0600, replaced by a rename: a crash leaves the old one or the new one.
 */
export class IdentityFile {
  readonly #folder: string;
  readonly #path: string;

  constructor(folder: string) {
    this.#folder = folder;
    this.#path = join(folder, FILE);
  }

  /** What is stored, unverified; undefined when there is nothing. Throws WireError when it cannot be read. */
  async read(): Promise<CandidateMaterial | undefined> {
    let text: string;
    try {
      text = await readFile(this.#path, "utf8");
    } catch (error) {
      if (error instanceof Error && "code" in error && error.code === "ENOENT") return undefined;
      throw error;
    }
    try {
      const { certPem, keyPem, rootsPem, issuedMs } = JSON.parse(text) as Record<string, unknown>;
      if (
        typeof certPem !== "string" ||
        typeof keyPem !== "string" ||
        typeof rootsPem !== "string" ||
        typeof issuedMs !== "number"
      ) {
        throw new WireError("a field is missing");
      }
      return { chain: fromPem(certPem), keyPem, roots: fromPem(rootsPem), issuedMs };
    } catch (error) {
      throw new WireError(`${this.#path} cannot be used`, { cause: error });
    }
  }

  async write({ certPem, keyPem, rootsPem, issuedMs }: IdentityMaterial): Promise<void> {
    await mkdir(this.#folder, { recursive: true, mode: 0o700 });
    const temporary = `${this.#path}.${randomBytes(6).toString("hex")}`;
    try {
      const file = await open(temporary, "wx", 0o600);
      try {
        await file.writeFile(JSON.stringify({ certPem, keyPem, rootsPem, issuedMs }));
        await file.sync();
      } finally {
        await file.close();
      }
      await rename(temporary, this.#path);
    } catch (error) {
      await rm(temporary, { force: true });
      throw error;
    }
  }
}
