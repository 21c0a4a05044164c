// Reads a list of {name, text} and writes the names of those that are not
// PowerShell by tree-sitter's grammar. The argument is the grammar's package.
const { readFileSync } = require('node:fs');
const { Parser, Language } = require(process.argv[2]);
const wasm = (name) => `${process.argv[2]}/wasm/${name}.wasm`;

(async () => {
  await Parser.init({ locateFile: () => wasm('tree-sitter') });
  const parser = new Parser();
  parser.setLanguage(await Language.load(wasm('tree-sitter-powershell')));
  const bad = JSON.parse(readFileSync(0, 'utf8')).filter((s) => parser.parse(s.text).rootNode.hasError);
  process.stdout.write(JSON.stringify(bad.map((s) => s.name)));
})();
