/** Of everything in this package: what components and proxies say of themselves. */
export const VERSION = "0.1.0";
