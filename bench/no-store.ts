// The twin: the same app, the same authentication, parsing, validation and answer, and no store behind it. What the service
// reaches of its rate is the price of keeping the promise.
import { buildTwin } from './twin.ts'

const { app } = await buildTwin()
await app.listen({ host: '127.0.0.1', port: Number(process.env['PORT']) })
process.on('SIGTERM', () => void app.close())
