// npm run build: dist/ from src/.
import { build } from "./lib/build.mjs";

process.exit(build() ? 0 : 1);
