/** Bun imports the bundle as a file; the test runner's loader does not know that kind of import. */
export default Bun.resolveSync("redoc/bundles/redoc.standalone.js", process.cwd())
