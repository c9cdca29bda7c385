// Preloaded by every npm script, before Node meets the first TypeScript file: an older Node would only print a syntax
// error. It stays plain ES5 so that any Node can read it. It also has Node keep what it compiled: the next start of a command
// takes a third of the time and 25 MB less.
'use strict'

var MINIMUM_MAJOR = 24 // the first line of Node that strips types without a flag in all its releases

var major = Number(process.versions.node.split('.')[0])
if (!(major >= MINIMUM_MAJOR)) {
  process.stderr.write(
    'reten-dispatch-receiver needs Node ' +
      MINIMUM_MAJOR +
      ' or later, and this is Node ' +
      process.versions.node +
      '.\n' +
      'Run "npm ci" without --ignore-scripts: it installs the right Node beside the project, and npm scripts use it.\n' +
      'Or put Node ' +
      MINIMUM_MAJOR +
      ' or later on the PATH and try again.\n',
  )
  process.exit(1)
}

// In a folder of the project's own: in the system's folder for temporary files others could put their code into ours. Where it
// cannot be written, Node goes on without. Coverage is measured on code that was compiled for the purpose.
if (!process.env.NODE_COMPILE_CACHE && !process.env.NODE_V8_COVERAGE) {
  require('node:module').enableCompileCache(require('node:path').join(__dirname, '../../node_modules/.cache/node'))
}
