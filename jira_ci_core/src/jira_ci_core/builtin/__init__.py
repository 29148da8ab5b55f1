"""The plugins that ship with core, on the same hooks as anybody else's; `plugins.BUILT_IN` is their order."""
