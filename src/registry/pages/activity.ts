import type { Emitter, Tally, TypeActivity } from '../type-activity.ts';
import { counted, grouped, type Html, html, moment } from './html.ts';

/** Who emitted events of a type lately, and how often. */
export function activitySection(activity: TypeActivity | 'unknown', total: number): Html {
  if (activity === 'unknown') {
    return html`<p class="muted">It took the store too long to tell. Try again in a moment.</p>`;
  }
  const { looked, isAll, lastDay, lastWeek, emitters, moreEmitters, oldestAt, newestAt } = activity;
  if (looked === 0 || newestAt === undefined || oldestAt === undefined) {
    return html`<p class="muted">Nobody has emitted an event of this type.</p>`;
  }
  return html`<dl class="facts">
<div><dt>In the log</dt><dd>${counted(Math.max(total, looked), 'event')}</dd></div>
<div><dt>Last 24 hours</dt><dd>${tally(lastDay)}</dd></div>
<div><dt>Last 7 days</dt><dd>${tally(lastWeek)}</dd></div>
<div><dt>Last recorded</dt><dd>${moment(newestAt)}</dd></div>
</dl>
<p class="muted small">${
    isAll
      ? html`All events of the type, by what their metadata says of where they come from.`
      : html`The newest ${counted(looked, 'event')} of the type, since ${moment(oldestAt)}, by what their metadata says of where they come from.`
  }</p>
<div class="wide"><table>
<thead><tr><th scope="col">Source</th><th scope="col">Actor</th><th scope="col">Versions</th><th scope="col" class="figure">Events</th><th scope="col">Last</th></tr></thead>
<tbody>${emitters.map(emitterRow)}</tbody>
</table></div>
${moreEmitters > 0 && html`<p class="muted small">And ${moreEmitters} more.</p>`}`;
}

function emitterRow({ source, actor, versions, count, lastAt }: Emitter): Html {
  return html`<tr><th scope="row">${said(source)}</th><td>${said(actor)}</td><td>${versions.join(
    ', ',
  )}</td><td class="figure">${grouped(count)}</td><td>${moment(lastAt)}</td></tr>`;
}

function said(text: string): Html {
  return text === '' ? html`<span class="muted">not said</span>` : html`<code>${text}</code>`;
}

function tally({ count, isAtLeast }: Tally): string {
  return isAtLeast ? `${counted(count, 'event')} or more` : counted(count, 'event');
}
