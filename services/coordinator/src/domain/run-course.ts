// How a run went over time: for each sensor how many packets were out at which place of the timeline. It is thinned out as it
// grows, so that a run of days has as many points as one of minutes. Pure.
import type { RunCourse } from '@capfleet/shared/contract/api';
import type { RunReport } from '@capfleet/shared/contract/report';
import type { RunView } from '@capfleet/shared/contract/run-view';
import { parseInstant } from '@capfleet/shared/time/nanos';

export type Course = RunCourse['sensors'];
type Point = Course[number]['points'][number];

const nothing: Point[] = [];
const MOST_POINTS = 480;
const MOST_OF_ALL = 9600;

/** With what the view tells; the same course where it tells nothing new. */
export function alongCourse(course: Course, { sensors }: RunView): Course {
  const most = Math.max(16, Math.min(MOST_POINTS, Math.floor(MOST_OF_ALL / Math.max(1, sensors.length))));
  const next = sensors.map(({ sensor, progress }) => {
    const points = pointsOf(course, sensor);
    if (!progress) return { sensor, points };
    const point: Point = [Number(progress.position), progress.sent];
    const last = points.at(-1);
    if (last && point[0] <= last[0]) return { sensor, points };
    return { sensor, points: thin([...points, point], most) };
  });
  const isNew = next.some(({ sensor, points }) => points !== pointsOf(course, sensor));
  return isNew ? next : course;
}

/** With the last packet of each sensor, as the report has it. */
export function closeCourse(course: Course, { start, sensors }: RunReport): Course {
  const origin = start === null ? null : parseInstant(start);
  return sensors.map(({ sensor, result }) => {
    const points = pointsOf(course, sensor);
    if (origin === null || !result?.lastSent) return { sensor, points };
    const end: Point = [Number(BigInt(result.lastSent) - origin), result.accounts.sent];
    return { sensor, points: [...points.filter(([at, sent]) => at < end[0] && sent <= end[1]), end] };
  });
}

function pointsOf(course: Course, sensor: string): Point[] {
  return course.find((each) => each.sensor === sensor)?.points ?? nothing;
}

/** Every other one, the latest always among them. */
function thin(points: readonly Point[], most: number): Point[] {
  return points.length <= most
    ? [...points]
    : points.filter((_, index) => (points.length - 1 - index) % 2 === 0);
}
