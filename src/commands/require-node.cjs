// Preloaded by every npm script, before Node meets the first TypeScript file: an older Node would only print a syntax
// error. It stays plain ES5 so that any Node can read it.
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
