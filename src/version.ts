// Which release this is, as package.json says.
import manifest from '../package.json' with { type: 'json' }

/** The service's version, e.g. `0.1.0`. */
export const SERVICE_VERSION: string = manifest.version
