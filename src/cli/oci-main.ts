#!/usr/bin/env node
/** `ringvisor-oci`: the runtime by itself, as engines take it (`podman --runtime`), without the rest's imports. */
import { main } from "./oci/main.js";

process.exitCode = await main(process.argv.slice(2));
