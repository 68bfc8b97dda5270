export { connect, identifyOwnIds } from './queries.ts'
