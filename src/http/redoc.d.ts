declare module "redoc/bundles/redoc.standalone.js" {
  /** Path of the bundle: it is imported as a file. */
  const path: string
  export default path
}
