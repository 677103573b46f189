// Asks croner (npm) the questions of cases.tsv; the output is that of ask_python.py.
//
//   npm install croner@11.0.1 && TZ=UTC node ask_croner.mjs > croner.tsv
import {readFileSync} from 'node:fs';
import {Cron} from 'croner';

for (const line of readFileSync('cases.tsv', 'ascii').trimEnd().split('\n')) {
  const [expression, zone, start, count] = line.split('\t');
  let fires;
  try {
    // croner joins the two day fields by OR unless told; domAndDow: false is that default.
    const cron = new Cron(expression, {timezone: zone, paused: true});
    const found = cron.nextRuns(Number(count), new Date(start));
    fires = found.map((at) => String(at.getTime() / 1000));
    if (fires.length < Number(count)) fires.push('end');
  } catch {
    fires = ['refused'];
  }
  console.log([expression, zone, start, fires.join(' ')].join('\t'));
}
