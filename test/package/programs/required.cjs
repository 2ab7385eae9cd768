/** A CommonJS module: all doors by `require`. Prints what it saw. */
const { McCache } = require("mccache")
const { McCacheError, open } = require("mccache/standalone")
const { Cluster } = require("mccache/testing")

const main = async () => {
  const mccache = await open({ cluster: "package", interface: "127.0.0.1" })
  const cache = mccache.cache("n")
  cache.set("x", 1)
  // One module, however it is loaded: else an error would not be an instance of its class.
  const imported = await import("mccache/standalone")
  console.log(JSON.stringify({
    value: cache.get("x"),
    same: imported.McCacheError === McCacheError,
    doors: [typeof McCache.layer, typeof Cluster.make],
    version: require("mccache/package.json").version
  }))
  await mccache.close()
}

main()
