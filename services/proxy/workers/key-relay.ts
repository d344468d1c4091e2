import type { AppliedState, Follow, TableFollower } from "../../../shared/bus/index.ts";
import type { DataTable } from "../mesh/tables.ts";
import type { AppliedBoard } from "./applied-board.ts";
import type { KeyUpdate } from "./messages.ts";

export interface KeyRelayOptions {
  readonly tables: Readonly<Record<DataTable, TableFollower>>;
  readonly board: AppliedBoard<KeyRelay>;
  tell(update: KeyUpdate): void;
}

/** The keys that one worker follows: followed here, and every change told. */
export class KeyRelay {
  readonly #options: KeyRelayOptions;
  readonly #keys = new Map<number, { readonly followed: Follow; readonly stop: () => void }>();

  constructor(options: KeyRelayOptions) {
    this.#options = options;
  }

  /** `id`: the worker's own number. */
  follow(id: number, table: DataTable, key: string): void {
    const { tables, tell } = this.#options;
    const followed = tables[table].follow(key);
    const update = (): void => {
      const { state, epoch, sequence, value } = followed;
      tell({ id, state, epoch, sequence, value });
    };
    this.#keys.set(id, { followed, stop: followed.onChange(update) });
    update();
  }

  unfollow(id: number): void {
    this.#take(id)?.close();
  }

  setApplied(id: number, applied: AppliedState): void {
    const key = this.#keys.get(id);
    if (key !== undefined) this.#options.board.set(key.followed, this, applied);
  }

  /** Tells no more. What was followed still is: whoever takes it lets it go. */
  end(): Follow[] {
    return [...this.#keys.keys()].map((id) => this.#take(id)).filter((key) => key !== undefined);
  }

  #take(id: number): Follow | undefined {
    const key = this.#keys.get(id);
    if (key === undefined) return undefined;
    this.#keys.delete(id);
    key.stop();
    this.#options.board.remove(key.followed, this);
    return key.followed;
  }
}
