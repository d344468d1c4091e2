/**
 * `@peculiar/x509` resolves its parts through a container that refuses to load unless the `Reflect` metadata API is
 * there. All of its parts have constructors without parameters, so an API that knows nothing is enough, and a
 * dependency that patches far more of the global is not needed.
 */
const nothing = (): undefined => undefined;

for (const name of ["getMetadata", "getOwnMetadata"]) {
  if (!(name in Reflect)) Object.defineProperty(Reflect, name, { value: nothing, configurable: true, writable: true });
}

export {};
