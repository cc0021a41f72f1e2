// Every key and queue name that Capfleet uses in Redis. One hash tag keeps all of them in one slot of a cluster.

/** BullMQ's prefix, and the start of all other keys. */
export const PREFIX = '{capfleet}';

export const mapQueue = 'map';

/** Results of one map request: a stream, one entry per file map. */
export const mapResultsKey = (request: string): string => `${PREFIX}:map:${request}:results`;

/** Each sensor takes its plans from its own queue. */
export const sensorQueue = (sensor: string): string => `replay-${sensor}`;

/** How far the sensors of a run are: apart from their words, which are kept whole. */
export const progressKey = (run: string): string => `${PREFIX}:run:${run}:progress`;

/** A sensor's registration; expires when its agent is gone. */
export const sensorKey = (sensor: string): string => `${PREFIX}:sensor:${sensor}`;
export const sensorKeyPattern = `${PREFIX}:sensor:*`;

/** Which agent instance plays a sensor's share of a run: the fence against playing it twice. */
export const claimKey = (run: string, sensor: string): string => `${PREFIX}:run:${run}:claim:${sensor}`;

/** Streams of a run: words of the coordinator to all its sensors, and back. */
export const toSensorsKey = (run: string): string => `${PREFIX}:run:${run}:to-sensors`;
export const fromSensorsKey = (run: string): string => `${PREFIX}:run:${run}:from-sensors`;

/** What was asked for, what a sensor is to play, who carries it through, and what became of it. */
export const runKey = (run: string): string => `${PREFIX}:run:${run}`;
export const runPlanKey = (run: string, sensor: string): string => `${PREFIX}:run:${run}:plan:${sensor}`;
export const runOwnerKey = (run: string): string => `${PREFIX}:run:${run}:owner`;
/** What is to be seen of it while it is carried through, and in one word what became of it. */
export const runViewKey = (run: string): string => `${PREFIX}:run:${run}:view`;
/** How many packets are due when, and how many were out at which time. */
export const runPlannedKey = (run: string): string => `${PREFIX}:run:${run}:planned`;
export const runCourseKey = (run: string): string => `${PREFIX}:run:${run}:course`;
export const runOutcomeKey = (run: string): string => `${PREFIX}:run:${run}:outcome`;
export const runReportKey = (run: string): string => `${PREFIX}:run:${run}:report`;
/** All runs that may still be there, by the instant they were asked for or held last (ms). */
export const runsKey = `${PREFIX}:runs`;
/** Those of them that have no report yet. */
export const openRunsKey = `${PREFIX}:open-runs`;

/** The run that has a sensor to itself. */
export const sensorLeaseKey = (sensor: string): string => `${PREFIX}:lease:${sensor}`;

/** What is kept of a run outlives it by a day, so that a late agent or reader still finds it. */
export const RUN_KEYS_TTL_SECONDS = 86_400;

/** The lines of a mapping, under a name of its own for each that is sent; and what is known of each set, by its name. */
export const setLinesKey = (id: string): string => `${PREFIX}:set:${id}`;
/** How that mapping lies in time, boiled down. */
export const setTimelineKey = (id: string): string => `${PREFIX}:set:${id}:timeline`;
export const setsKey = `${PREFIX}:sets`;

/** Plan documents, and what is known of each, by name. */
export const planKey = (name: string): string => `${PREFIX}:plan:${name}`;
export const plansKey = `${PREFIX}:plans`;

/** A mapping that a coordinator was asked for: what it is, who carries it through, how far it is, what came so far. */
export const askedMapKey = (map: string): string => `${PREFIX}:asked-map:${map}`;
export const askedMapOwnerKey = (map: string): string => `${PREFIX}:asked-map:${map}:owner`;
export const askedMapStateKey = (map: string): string => `${PREFIX}:asked-map:${map}:state`;
export const askedMapStopKey = (map: string): string => `${PREFIX}:asked-map:${map}:stop`;
export const askedMapJournalKey = (map: string): string => `${PREFIX}:asked-map:${map}:journal`;
/** All that may still be there, and those of them that are not over, by the instant they were asked for (ms). */
export const askedMapsKey = `${PREFIX}:asked-maps`;
export const openMapsKey = `${PREFIX}:open-maps`;
