/** One step of a round in which a tag decides about itself, as the server's sentence has it. */
export interface LoopStep {
  readonly segment: string
  /** The tag that it gives. */
  readonly gives: string
  /** The tag that it asks for, and by which of its conditions: 2.1 is the first of the group that is the second. */
  readonly asks: string
  readonly place: string
}

const STEP = /segment (\d+), which gives "(.*?)", asks for "(.*?)" at (\S+?)(?=[;.]?(?:\s|$))/g

export function loopSteps(message: string): LoopStep[] {
  return [...message.matchAll(STEP)].map(([, segment = '', gives = '', asks = '', place = '']) => ({
    segment,
    gives,
    asks,
    place: [...place.matchAll(/\[(\d+)\]/g)].map(([, index]) => Number(index) + 1).join('.') || '1',
  }))
}
