// The fonts of printed reports, from the npm packages into the server's press. They are no part of this repository.
import { copyFileSync, existsSync, mkdirSync, statSync } from 'node:fs'
import { dirname, join } from 'node:path'
import { fileURLToPath } from 'node:url'

const here = dirname(fileURLToPath(import.meta.url))
const into = join(here, '../src/filmless/reporting/press/fonts')
const wanted = ['SC', 'JP'].flatMap((kind) =>
  ['400Regular', '700Bold'].map((weight) => [`noto-sans-${kind.toLowerCase()}`, weight, `NotoSans${kind}_${weight}.ttf`]),
)

mkdirSync(into, { recursive: true })
for (const [name, weight, file] of wanted) {
  const from = join(here, 'node_modules/@expo-google-fonts', name, weight, file)
  const to = join(into, file)
  if (!existsSync(to) || statSync(to).size !== statSync(from).size) copyFileSync(from, to)
}
for (const name of ['noto-sans-sc', 'noto-sans-jp'])
  copyFileSync(join(here, 'node_modules/@expo-google-fonts', name, 'LICENSE_FONT'), join(into, `LICENSE-${name}`))
