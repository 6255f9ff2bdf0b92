import { type Client, type Query, query, type RecordedEvent } from '../src/client/index.ts';

/**
 * Courses and their students, after https://dcb.events/examples/course-subscriptions: a course takes no more
 * students than its capacity, and a student takes no more than five courses.
 *
 * The two rules look at two entities, and one event, the subscription, counts for both. There is no aggregate that
 * could hold them together, and none is needed: each command reads the events that its rules depend on, and is
 * stored only if no other of them has come in between.
 */
export const COURSES_A_STUDENT_MAX = 5;

/** What a rule forbids. Trying again does not help, unlike after a lost race. */
export class RuleBroken extends Error {
  constructor(rule: string) {
    super(rule);
    this.name = 'RuleBroken';
  }
}

/** All about one course. */
const COURSE_TYPES = ['COURSE.DEFINED', 'COURSE.CAPACITY.CHANGED', 'COURSE.STUDENT.SUBSCRIBED'];
const aboutCourse = (course: string) => ({ types: COURSE_TYPES, tags: { course } });

export async function defineCourse(client: Client, course: string, capacity: number): Promise<void> {
  const about = query({ types: ['COURSE.DEFINED'], tags: { course } });
  await client.decide(about, (events) => {
    if (events.length > 0) throw new RuleBroken(`course ${course} is defined already`);
    return { type: 'COURSE.DEFINED', tags: { course }, data: { course, capacity } };
  });
}

/** A course cannot shrink below the students that it has. */
export async function changeCapacity(client: Client, course: string, capacity: number): Promise<void> {
  await client.decide(query(aboutCourse(course)), (events) => {
    const state = courseOf(events, course);
    if (state.capacity === undefined) throw new RuleBroken(`course ${course} is not defined`);
    if (state.students.size > capacity) throw new RuleBroken(`course ${course} has more students than that`);
    if (state.capacity === capacity) return undefined;
    return { type: 'COURSE.CAPACITY.CHANGED', tags: { course }, data: { course, capacity } };
  });
}

export async function subscribe(client: Client, student: string, course: string): Promise<void> {
  // The boundary: this course, and the subscriptions of this student. Others may subscribe elsewhere meanwhile.
  const boundary: Query = query(aboutCourse(course), {
    types: ['COURSE.STUDENT.SUBSCRIBED'],
    tags: { student },
  });
  await client.decide(
    boundary,
    (events) => {
      const { capacity, students } = courseOf(events, course);
      const courses = coursesOf(events, student);
      if (capacity === undefined) throw new RuleBroken(`course ${course} is not defined`);
      if (students.has(student)) throw new RuleBroken(`student ${student} takes course ${course} already`);
      if (students.size >= capacity) throw new RuleBroken(`course ${course} is full`);
      if (courses.size >= COURSES_A_STUDENT_MAX)
        throw new RuleBroken(`student ${student} takes enough courses`);
      return { type: 'COURSE.STUDENT.SUBSCRIBED', tags: { course, student }, data: { course, student } };
    },
    { attempts: 200 },
  );
}

/** A course as its events tell. */
function courseOf(events: readonly RecordedEvent[], course: string) {
  let capacity: number | undefined;
  const students = new Set<string>();
  for (const { type, data } of events) {
    if (data['course'] !== course) continue;
    if (type === 'COURSE.STUDENT.SUBSCRIBED') students.add(String(data['student']));
    else capacity = Number(data['capacity']);
  }
  return { capacity, students };
}

function coursesOf(events: readonly RecordedEvent[], student: string): Set<string> {
  const own = events.filter(
    ({ type, data }) => type === 'COURSE.STUDENT.SUBSCRIBED' && data['student'] === student,
  );
  return new Set(own.map(({ data }) => String(data['course'])));
}

/** What an audit found. */
export interface Audit {
  readonly courses: number;
  readonly subscriptions: number;
  readonly capacityChanges: number;
  /** Each moment at which a rule did not hold. */
  readonly faults: readonly string[];
}

/** Reads the whole story from the start and checks after each event that both rules hold. */
export async function audit(client: Client): Promise<Audit> {
  const capacities = new Map<string, number>();
  const students = new Map<string, Set<string>>();
  const courses = new Map<string, Set<string>>();
  const faults: string[] = [];
  let subscriptions = 0;
  let capacityChanges = 0;
  for await (const { position, type, data } of client.read({ eventTypes: COURSE_TYPES })) {
    const fault = (what: string) => faults.push(`position ${position}: ${what}`);
    const course = String(data['course']);
    const taking = students.get(course) ?? new Set();
    if (type === 'COURSE.STUDENT.SUBSCRIBED') {
      const student = String(data['student']);
      const taken = courses.get(student) ?? new Set();
      if (taking.has(student)) fault(`${student} subscribes to ${course} again`);
      students.set(course, taking.add(student));
      courses.set(student, taken.add(course));
      subscriptions += 1;
      if (taken.size > COURSES_A_STUDENT_MAX) fault(`${student} takes ${taken.size} courses`);
    } else {
      if (type === 'COURSE.DEFINED' && capacities.has(course)) fault(`${course} is defined again`);
      if (type === 'COURSE.CAPACITY.CHANGED') capacityChanges += 1;
      capacities.set(course, Number(data['capacity']));
    }
    const capacity = capacities.get(course) ?? 0;
    if (taking.size > capacity) fault(`${course} has ${taking.size} students and takes ${capacity}`);
  }
  return { courses: capacities.size, subscriptions, capacityChanges, faults };
}
