// Copyright 2026 The Gatehouse Authors
// SPDX-License-Identifier: Apache-2.0

// Validates an OpenAPI document with a validator that is not ours, makes types of it, and
// compiles a program against them: node check.mjs DOCUMENT DIRECTORY
import { readFile, writeFile, copyFile, symlink } from "node:fs/promises";
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { Validator } from "@seriousme/openapi-schema-validator";
import openapiTS, { astToString } from "openapi-typescript";

const [document, dir] = process.argv.slice(2);
const doc = JSON.parse(await readFile(document, "utf8"));
const validator = new Validator({ strict: false });
const result = await validator.validate(structuredClone(doc));
if (!result.valid) {
  console.error(JSON.stringify(result.errors, null, 1));
  process.exit(1);
}
if (validator.version !== "3.1") {
  console.error("the document is OpenAPI " + validator.version);
  process.exit(1);
}
await writeFile(join(dir, "schema.d.ts"), astToString(await openapiTS(doc)));
await copyFile("use.ts", join(dir, "use.ts"));
await symlink(join(process.cwd(), "node_modules"), join(dir, "node_modules")).catch(() => {});
try {
  execFileSync(process.execPath, [
    "node_modules/typescript/bin/tsc", "--strict", "--noEmit", "--target", "es2022", "--module", "esnext",
    "--moduleResolution", "bundler", "--lib", "es2022,dom", join(dir, "use.ts"),
  ], { stdio: ["ignore", "inherit", "inherit"] });
} catch {
  process.exit(1);
}
console.log(Object.keys(doc.paths).length + " paths");
