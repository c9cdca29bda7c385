// Writes src/schema-types.ts from the schemas beside this file; with --check it only says whether that file is fresh.
import { readFile, readdir, writeFile } from 'node:fs/promises'
import { compile } from 'json-schema-to-typescript'

const TARGET = new URL('../src/schema-types.ts', import.meta.url)
const BANNER = '// Generated from schemas/*.json by "npm run generate". Do not edit.'

const fresh = await generate()
if (process.argv.includes('--check')) {
  const present = await readFile(TARGET, 'utf8').catch(() => '')
  if (present !== fresh) {
    process.stderr.write('src/schema-types.ts is older than schemas/: run "npm run generate"\n')
    process.exitCode = 1
  }
} else {
  await writeFile(TARGET, fresh)
}

async function generate(): Promise<string> {
  const folder = new URL('./', import.meta.url)
  const names = (await readdir(folder)).filter((name) => name.endsWith('.json')).sort()
  const bodies: string[] = []
  for (const name of names) {
    const schema: unknown = JSON.parse(await readFile(new URL(name, folder), 'utf8'))
    if (typeof schema !== 'object' || schema === null) throw new Error(`${name} is not an object`)
    // Schemas name each other by $id; the definition they mean is written in the other file, so the reference is
    // followed to that file here.
    const local = JSON.parse(
      JSON.stringify(schema).replaceAll('https://reten-dispatch-receiver/schemas/', folder.pathname),
    )
    delete local.$id
    bodies.push(
      await compile(local, name, {
        bannerComment: '',
        cwd: folder.pathname,
        declareExternallyReferenced: name === 'dispatch-answer.json' ? false : true,
        format: true,
        style: { semi: false, singleQuote: true, printWidth: 120, trailingComma: 'all' },
      }),
    )
  }
  return `${BANNER}\n\n${bodies.join('\n')}`
}
