'use strict';
// Draws what /status says, every two seconds, and /history once after each (re)connection. Everything that comes from
// firn goes into the page as text, never as markup.

const POLL_MS = 2000;
const TIMEOUT_MS = 8000;
const SPAN_MS = 15 * 60 * 1000;
const GAP_MS = 15000;  // Samples further apart have nothing between them.
const RATE_MS = 10000;
const ETA_MS = 30000;

// --- The page's elements ---

const byId = (id) => document.getElementById(id);

function element(name, attributes = {}, ...children) {
  const made = name.startsWith('svg:') ? document.createElementNS('http://www.w3.org/2000/svg', name.slice(4))
                                       : document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

// Leaves alone what is the same already, so that selections and screen readers are not disturbed.
function setText(node, text) {
  if (node.textContent !== text) node.textContent = text;
}
function setAttribute(node, name, value) {
  if (node.getAttribute(name) !== value) node.setAttribute(name, value);
}

// --- Numbers for people ---

const COUNT = new Intl.NumberFormat('en-US', {maximumFractionDigits: 0});
const count = (number) => COUNT.format(number);

function bytes(number) {
  const units = ['B', 'KiB', 'MiB', 'GiB', 'TiB', 'PiB'];
  let unit = 0;
  while (number >= 1024 && unit < units.length - 1) {
    number /= 1024;
    ++unit;
  }
  return `${unit === 0 || number >= 100 ? number.toFixed(0) : number.toFixed(1)} ${units[unit]}`;
}

function seconds(number) {
  if (number < 10) return `${number.toFixed(1)} s`;
  if (number < 90) return `${number.toFixed(0)} s`;
  const minutes = Math.round(number / 60);
  if (minutes < 90) return `${minutes} min`;
  const hours = Math.round(minutes / 60);
  return hours < 48 ? `${hours} h` : `${Math.round(hours / 24)} d`;
}

function rate(number) {
  return `${number > 0 && number < 10 ? number.toFixed(1) : count(number)}/s`;
}

function lsnValue(text) {
  if (!text) return null;
  const [high, low] = text.split('/');
  return parseInt(high, 16) * 2 ** 32 + parseInt(low, 16);
}

// --- What is known ---

const model = {
  status: null,
  answeredAt: null,  // By this machine's clock; null: no answer yet.
  clockSkew: 0,      // firn's clock less this machine's.
  samples: [],       // {at, lag_seconds, …} oldest first.
  failure: null,     // Why the last poll gave nothing.
  sort: {column: 'state', descending: false},
  state: 'all',
  filter: '',
};

function addSample(at, values) {
  model.samples.push({at, ...values});
  while (model.samples.length && model.samples[0].at < at - SPAN_MS) model.samples.shift();
}

function sampleOf(status) {
  const sum = (name) => status.tables.reduce((total, table) => total + table[name], 0);
  return {
    lag_seconds: status.lag_seconds,
    lag_bytes: status.lag_bytes,
    received_bytes: status.received_bytes,
    decoded_changes: status.decoded_changes,
    rows_written: sum('rows_written'),
    rows_copied: sum('rows_copied'),
    copied: new Map(status.tables.filter((table) => table.state === 'copying').map((table) => [table.source, table.rows_copied])),
  };
}

// firn keeps the last minutes: what this page saw before them stays.
function mergeHistory(history) {
  const now = Date.now();
  const told = history.age_s.map((age, i) => {
    const sample = {at: now - age * 1000};
    for (const name of Object.keys(history)) if (name !== 'age_s') sample[name] = history[name][i];
    return sample;
  });
  const start = told.length ? told[0].at : now;
  model.samples = model.samples.filter((sample) => sample.at < start).concat(told);
}

// Growth of `name` a second at the sample `i`, over some seconds before it. A counter that went back began anew.
function rateAt(i, name) {
  const samples = model.samples;
  let first = i;
  while (first > 0 && samples[i].at - samples[first].at < RATE_MS && samples[first].at - samples[first - 1].at < GAP_MS &&
         samples[first - 1][name] <= samples[first][name]) {
    --first;
  }
  const elapsed = samples[i].at - samples[first].at;
  return elapsed > 0 ? (samples[i][name] - samples[first][name]) * 1000 / elapsed : null;
}

// --- Asking firn ---

async function ask(path) {
  const response = await fetch(path, {cache: 'no-store', signal: AbortSignal.timeout(TIMEOUT_MS)});
  if (!response.ok) throw new Error(`${path} answered ${response.status}`);
  return response.json();
}

async function poll() {
  try {
    const reconnected = model.failure !== null || model.answeredAt === null;
    const status = await ask('status');
    if (reconnected) {
      mergeHistory(await ask('history'));
      await actions.look();
    }
    model.status = status;
    model.answeredAt = Date.now();
    model.clockSkew = Date.parse(status.time) - model.answeredAt;
    model.failure = null;
    addSample(model.answeredAt, sampleOf(status));
  } catch (error) {
    model.failure = error;
  }
  draw();
  setTimeout(poll, POLL_MS);
}

// --- Head and notices ---

function drawHead() {
  const {status, failure, answeredAt} = model;
  const state = failure ? 'unreachable' : status ? status.state || 'starting' : 'connecting';
  setText(byId('state'), state);
  setAttribute(byId('state'), 'data-state', state);
  document.body.classList.toggle('stale', failure !== null && answeredAt !== null);
  if (status) {
    setText(byId('pipeline'), status.pipeline);
    document.title = `${status.pipeline || 'firn'}: ${state}`;
  }
  const clock = answeredAt && new Date(answeredAt).toLocaleTimeString();
  setText(byId('freshness'), failure ? (clock ? `as of ${clock}` : 'no answer yet') : clock ? `updated ${clock}` : 'waiting for an answer');
}

function noticesOf({status, failure, answeredAt}) {
  const notices = [];
  if (failure) {
    notices.push({
      level: 'bad',
      title: 'firn does not answer',
      text: answeredAt ? 'It may be restarting, or stopped. The page shows what was known last, and goes on by itself when firn is back.'
                       : 'Is firn running, and is this its http.listen address? The page tries again every two seconds.',
    });
  }
  if (!status) return notices;
  if (!failure && status.last_failure) {
    const age = (Date.now() + model.clockSkew - Date.parse(status.last_failure.at)) / 1000;
    const retrying = status.state === 'retrying';
    if (retrying || age * 1000 < SPAN_MS) {
      notices.push({
        level: retrying ? 'warn' : 'past',
        title: retrying ? 'The pipeline failed and will start again' : `The pipeline failed ${seconds(Math.max(0, age))} ago, and went on`,
        text: status.last_failure.message,
      });
    }
  }
  if (status.slot && status.slot.wal_status === 'lost') {
    notices.push({
      level: 'bad',
      title: 'The replication slot is lost',
      text: 'PostgreSQL has removed WAL that firn had not read. Start firn with source.on_lost_slot: copy, which copies all tables again; readers see the old rows until then. And raise max_slot_wal_keep_size.',
    });
  } else if (status.slot && status.slot.wal_status === 'unreserved') {
    notices.push({
      level: 'warn',
      title: 'The replication slot is about to be lost',
      text: status.slot_warning || 'It holds more WAL than max_slot_wal_keep_size allows. Raise that setting now, and look at what keeps firn behind.',
    });
  } else if (status.slot_warning) {
    notices.push({level: 'warn', title: 'The replication slot may be lost', text: status.slot_warning});
  }
  const parked = parkedTables(status);
  if (parked) {
    notices.push({level: 'bad', title: parked === 1 ? 'A table is parked' : `${count(parked)} tables are parked`, text: 'The others go on. The reason and the remedy are in the list of tables.'});
  }
  return notices;
}

const parkedTables = (status) => status.tables.filter((table) => table.state === 'parked').length;

function drawNotices() {
  const notices = noticesOf(model);
  const list = byId('notices');
  while (list.children.length > notices.length) list.lastChild.remove();
  notices.forEach(({level, title, text}, i) => {
    if (!list.children[i]) list.append(element('div', {class: 'notice'}, element('b'), element('span')));
    const notice = list.children[i];
    setAttribute(notice, 'data-level', level);
    setText(notice.children[0], title);
    setText(notice.children[1], text);
  });
}

// --- Actions ---

// The token lives as long as the tab, goes to firn alone, and only in a header.
const actions = {
  available: false,
  allowed: false,
  token: sessionStorage.getItem('firn.token') || '',

  headers() {
    return actions.token ? {Authorization: `Bearer ${actions.token}`} : {};
  },

  // What firn lets this page do. Asked at the start, after a reconnection and when a token was entered.
  async look() {
    const response = await fetch('actions', {cache: 'no-store', headers: actions.headers(), signal: AbortSignal.timeout(TIMEOUT_MS)});
    if (!response.ok) return;
    const {available, authorized} = await response.json();
    actions.available = available;
    actions.allowed = authorized;
    if (!authorized && actions.token) actions.forget();
  },

  forget() {
    actions.token = '';
    actions.allowed = false;
    sessionStorage.removeItem('firn.token');
  },

  async ask(name, body) {
    try {
      const response = await fetch(`actions/${name}`, {
        method: 'POST',
        headers: {...actions.headers(), 'Content-Type': 'application/json'},
        body: JSON.stringify(body),
        signal: AbortSignal.timeout(TIMEOUT_MS),
      });
      if (response.status === 401) actions.forget();
      const answer = await response.json();
      tell(answer.outcome || answer.error, response.ok ? 'past' : 'bad');
    } catch (error) {
      tell(`firn did not answer: ${error.message}`, 'bad');
    }
    draw();
  },
};

function tell(text, level) {
  const outcome = byId('outcome');
  outcome.hidden = false;
  setText(outcome, text);
  setAttribute(outcome, 'data-level', level);
}

function makeActions() {
  const form = byId('token-form');
  byId('unlock').addEventListener('click', () => {
    if (actions.allowed) {
      actions.forget();
      tell('This page only shows again: its token is forgotten.', 'past');
    } else {
      form.hidden = !form.hidden;
      if (!form.hidden) byId('token').focus();
    }
    draw();
  });
  form.addEventListener('submit', async (event) => {
    event.preventDefault();
    actions.token = byId('token').value.trim();
    byId('token').value = '';
    try {
      await actions.look();
    } catch {
      actions.allowed = false;
    }
    if (actions.allowed) {
      sessionStorage.setItem('firn.token', actions.token);
      form.hidden = true;
      tell('Actions are allowed until this tab is closed.', 'past');
      byId('unlock').focus();
    } else {
      tell('firn does not take that token.', 'bad');
    }
    draw();
  });
  byId('pause').addEventListener('click', () => actions.ask(isPaused() ? 'resume' : 'pause', {}));
}

const isPaused = () => Boolean(model.status && model.status.state === 'paused');

function drawActions() {
  const unlock = byId('unlock');
  unlock.hidden = !actions.available;
  setText(unlock, actions.allowed ? 'Lock actions' : 'Actions');
  setAttribute(unlock, 'aria-expanded', String(!byId('token-form').hidden));
  const pause = byId('pause');
  pause.hidden = !actions.allowed;
  pause.disabled = model.failure !== null;
  setText(pause, isPaused() ? 'Resume' : 'Pause');
}

// --- The flow ---

// Stages in the order that WAL passes them, each with what the way from the one before it waits for.
const STAGES = [
  {name: 'PostgreSQL', what: 'end of the log', lsn: (status) => status.server_lsn},
  {name: 'Received', what: 'by firn', lsn: (status) => status.received_lsn, waits: 'PostgreSQL is sending'},
  {name: 'Batched', what: (status) => `${bytes(status.buffered_bytes)} in memory`, lsn: (status) => status.applied_lsn,
   waits: 'a transaction is not complete yet'},
  {name: 'Committed', what: 'in Iceberg', lsn: (status) => status.committed_lsn, waits: 'batches are waiting for their commit'},
  {name: 'Acknowledged', what: 'PostgreSQL may forget', lsn: acknowledged, waits: 'PostgreSQL has not confirmed yet'},
];

// What PostgreSQL says of the slot lags behind what firn sent it: firn looks at it every few seconds.
function acknowledged(status) {
  const slot = status.slot && status.slot.confirmed_lsn;
  return lsnValue(status.acknowledged_lsn) > lsnValue(slot) || !slot ? status.acknowledged_lsn : slot;
}

function makeFlow() {
  for (const stage of STAGES) {
    stage.nodes = {gap: element('div', {class: 'gap'}), lsn: element('span', {class: 'lsn'}), what: element('span', {class: 'what'})};
    const box = element('div', {class: 'stage'}, element('span', {class: 'name'}, stage.name), stage.nodes.lsn, stage.nodes.what);
    byId('flow').append(element('li', {}, ...(stage.waits ? [stage.nodes.gap] : []), box));
  }
}

function drawFlow() {
  const {status} = model;
  const values = STAGES.map((stage) => status && lsnValue(stage.lsn(status)));
  const gaps = values.map((value, i) => i > 0 && value !== null && values[i - 1] !== null ? Math.max(0, values[i - 1] - value) : null);
  const most = Math.max(...gaps.map((gap) => gap || 0));
  STAGES.forEach((stage, i) => {
    setText(stage.nodes.lsn, status && stage.lsn(status) || '–');
    setText(stage.nodes.what, typeof stage.what === 'string' ? stage.what : status ? stage.what(status) : '');
    setText(stage.nodes.gap, gaps[i] === null ? '' : bytes(gaps[i]));
    setAttribute(stage.nodes.gap, 'data-waits', !gaps[i] ? 'none' : gaps[i] === most ? 'most' : 'some');
  });
  setText(byId('where'), whereTheLagIs(status, gaps, most));
}

function whereTheLagIs(status, gaps, most) {
  if (!status) return '';
  const waiting = status.lag_bytes > 0 ? `${bytes(status.lag_bytes)} of changes wait` : 'changes wait';
  if (status.state === 'copying') return `tables are being copied; ${waiting} in PostgreSQL until then`;
  if (status.state === 'paused') return `the stream is paused; ${waiting} in PostgreSQL until it goes on`;
  if (status.state !== 'streaming' && status.state !== 'stopping') return '';
  if (most === 0) {
    const parked = parkedTables(status);
    const apart = parked === 0 ? '' : `, but for ${parked === 1 ? 'a table that is' : `${count(parked)} tables that are`} parked`;
    return `all is in Iceberg${apart}`;
  }
  return `${bytes(status.lag_bytes)} and ${seconds(status.lag_seconds)} behind: ${STAGES[gaps.indexOf(most)].waits}`;
}

// --- Charts ---

const CHARTS = [
  {name: 'Lag', value: (i) => model.samples[i].lag_seconds, text: seconds, least: 1},
  {name: 'WAL to commit', value: (i) => model.samples[i].lag_bytes, text: bytes, least: 1024},
  {name: 'Changes received', value: (i) => rateAt(i, 'decoded_changes'), text: rate, least: 1},
  {name: 'Rows written', value: (i) => rateAt(i, 'rows_written'), text: rate, least: 1, copying: (i) => rateAt(i, 'rows_copied')},
];
const WIDTH = 900, HEIGHT = 100;

// The round number at the top of a chart's scale: 1, 2 or 5 of a power of ten, of bytes a power of two.
function roundTop(chart, most) {
  const value = Math.max(most, chart.least);
  if (chart.text === bytes) return 2 ** Math.ceil(Math.log2(value));
  if (chart.text === seconds && value > 60) return 60 * roundTop({least: 1}, value / 60);
  const power = 10 ** Math.floor(Math.log10(value));
  return [1, 2, 5, 10].map((step) => step * power).find((top) => top >= value * 0.999999);
}

function makeCharts() {
  for (const chart of CHARTS) {
    const nodes = chart.nodes = {
      name: element('span', {class: 'name'}, chart.name),
      now: element('span', {class: 'now'}),
      most: element('span'),
      top: element('span', {class: 'top-line', 'aria-hidden': 'true'}),
      area: element('svg:path', {class: 'area'}),
      line: element('svg:path', {class: 'line'}),
      cross: element('svg:line', {class: 'cross', y1: 0, y2: HEIGHT}),
    };
    const grid = [0, HEIGHT].map((y) => element('svg:line', {class: 'grid', x1: 0, x2: WIDTH, y1: y, y2: y}));
    nodes.svg = element('svg:svg', {viewBox: `0 0 ${WIDTH} ${HEIGHT}`, preserveAspectRatio: 'none', role: 'img'}, ...grid, nodes.area, nodes.line, nodes.cross);
    nodes.left = element('span', {}, '15 min ago');
    nodes.right = element('span', {}, 'now');
    nodes.svg.addEventListener('pointermove', (event) => pointAt(chart, event));
    nodes.svg.addEventListener('pointerleave', () => pointAt(chart, null));
    byId('charts').append(element('figure', {class: 'chart card'}, element('figcaption', {}, nodes.name, nodes.now), element('div', {class: 'plot'}, nodes.svg, nodes.top),
                                  element('div', {class: 'axis'}, nodes.left, nodes.most, nodes.right)));
  }
}

function drawCharts() {
  const end = model.failure ? model.answeredAt || Date.now() : Date.now();
  const copying = model.status && model.status.state === 'copying';
  for (const chart of CHARTS) {
    const value = copying && chart.copying || chart.value;
    setText(chart.nodes.name, copying && chart.copying ? 'Rows copied' : chart.name);
    chart.points = model.samples.map((sample, i) => ({at: sample.at, value: value(i)})).filter((point) => point.value !== null && point.at >= end - SPAN_MS);
    drawChart(chart, end);
  }
}

function drawChart(chart, end) {
  const {nodes, points} = chart;
  const most = points.reduce((highest, point) => Math.max(highest, point.value), 0);
  const top = roundTop(chart, most);
  const x = (at) => (WIDTH - (end - at) * WIDTH / SPAN_MS).toFixed(1);
  const y = (value) => (HEIGHT - value * HEIGHT / top).toFixed(1);
  let line = '', area = '', start = null;
  points.forEach((point, i) => {
    const joined = i > 0 && point.at - points[i - 1].at < GAP_MS;
    if (!joined) start = x(point.at);
    line += `${joined ? 'L' : 'M'}${x(point.at)} ${y(point.value)}`;
    area += joined ? `L${x(point.at)} ${y(point.value)}` : `M${start} ${HEIGHT}L${start} ${y(point.value)}`;
    const last = i === points.length - 1 || points[i + 1].at - point.at >= GAP_MS;
    if (last) area += `L${x(point.at)} ${HEIGHT}Z`;
  });
  nodes.line.setAttribute('d', line);
  nodes.area.setAttribute('d', area);
  const last = points.length ? chart.text(points[points.length - 1].value) : '–';
  chart.last = last;
  chart.end = end;
  if (!chart.pointed) setText(nodes.now, last);
  setText(nodes.top, points.length ? chart.text(top) : '');
  setText(nodes.most, points.length ? `highest ${chart.text(most)}` : 'nothing yet');
  setAttribute(nodes.svg, 'aria-label', `${nodes.name.textContent}: now ${last}, highest ${chart.text(most)} in the last 15 minutes`);
}

// The value under the pointer in place of the latest one.
function pointAt(chart, event) {
  const {nodes, points = []} = chart;
  const box = nodes.svg.getBoundingClientRect();
  const at = event && chart.end - SPAN_MS * (1 - (event.clientX - box.left) / box.width);
  const near = event && points.reduce((best, point) => !best || Math.abs(point.at - at) < Math.abs(best.at - at) ? point : best, null);
  chart.pointed = Boolean(near && Math.abs(near.at - at) < GAP_MS);
  nodes.cross.style.visibility = chart.pointed ? 'visible' : 'hidden';
  setText(nodes.now, chart.pointed ? chart.text(near.value) : chart.last || '–');
  setText(nodes.right, chart.pointed ? new Date(near.at).toLocaleTimeString() : 'now');
  if (!chart.pointed) return;
  const x = WIDTH - (chart.end - near.at) * WIDTH / SPAN_MS;
  nodes.cross.setAttribute('x1', x);
  nodes.cross.setAttribute('x2', x);
}

// --- What is kept ---

const KEEPS = [
  {name: 'WAL kept for the slot', value: ({slot}) => slot && slot.exists ? [bytes(slot.retained_bytes), slotText(slot)] : ['–', slot ? 'the slot is not made yet' : 'PostgreSQL does not answer']},
  {name: 'Memory', value: (status) => [bytes(status.memory_bytes), `${bytes(status.buffered_bytes)} of it changes`]},
  {name: 'Key index', value: (status) => [bytes(status.index_bytes), 'on local disk']},
  {name: 'Spool', value: (status) => [bytes(status.spool_bytes), status.spool_bytes ? 'large transactions in progress' : 'no large transaction']},
  {name: 'In Iceberg', value: (status) => [bytes(contentsSum(status, 'bytes')), `${count(contentsSum(status, 'data_files'))} data files, ${count(contentsSum(status, 'delete_files'))} delete files`]},
];

const slotText = (slot) => `${slot.active ? 'in use' : 'not in use'}, WAL ${slot.wal_status || 'not kept'}`;
const contentsSum = (status, name) => status.tables.reduce((sum, table) => sum + (table.contents ? table.contents[name] : 0), 0);

function makeKeeps() {
  for (const keep of KEEPS) {
    keep.nodes = {value: document.createTextNode('–'), more: element('span')};
    byId('keeps').append(element('div', {}, element('dt', {}, keep.name), element('dd', {}, keep.nodes.value, keep.nodes.more)));
  }
}

function drawKeeps() {
  if (!model.status) return;
  for (const keep of KEEPS) {
    const [value, more] = keep.value(model.status);
    setText(keep.nodes.value, value);
    setText(keep.nodes.more, more);
  }
}

// --- Tables ---

const inContents = (name) => (table) => table.contents ? table.contents[name] : null;
const COLUMNS = [
  {id: 'table', name: 'Table', kind: 'table', key: (table) => table.source},
  {id: 'state', name: 'State', kind: 'state', key: (table) => ['parked', 'copying', 'pending', 'streaming', 'stopped'].indexOf(table.state)},
  {id: 'rows', name: 'Rows', kind: 'number', key: inContents('rows'), text: count},
  {id: 'files', name: 'Data files', kind: 'number', key: inContents('data_files'), text: count},
  {id: 'deletes', name: 'Deletes', kind: 'number', key: inContents('deleted_rows'), text: count, title: (table) => table.contents && `${count(table.contents.deleted_rows)} deleted rows, marked by ${count(table.contents.delete_files)} delete files`},
  {id: 'size', name: 'Size', kind: 'number', key: inContents('bytes'), text: bytes},
  {id: 'written', name: 'Written', kind: 'number', key: (table) => table.rows_written, text: count, title: () => 'Rows written since firn started'},
  {id: 'commit', name: 'Last commit', kind: 'when', key: (table) => table.last_commit && Date.parse(table.last_commit), text: ago, title: (table) => table.last_commit && new Date(table.last_commit).toLocaleString()},
];
const STATES = ['all', 'parked', 'copying', 'pending', 'streaming', 'stopped'];
const rowsBySource = new Map();

function ago(time) {
  const age = (Date.now() + model.clockSkew - time) / 1000;
  return age < 2 ? 'just now' : `${seconds(Math.floor(age)).replace('.0', '')} ago`;
}

function makeTable() {
  for (const column of COLUMNS) {
    const button = element('button', {type: 'button'}, column.name);
    button.addEventListener('click', () => {
      const {sort} = model;
      model.sort = {column: column.id, descending: sort.column === column.id ? !sort.descending : ['number', 'when'].includes(column.kind)};
      drawTable();
    });
    column.head = element('th', {scope: 'col', class: column.kind === 'number' ? 'number' : ''}, button);
    byId('columns').append(column.head);
  }
  for (const state of STATES) {
    const button = element('button', {type: 'button', 'data-state': state});
    button.addEventListener('click', () => {
      model.state = state;
      drawTable();
    });
    byId('states').append(button);
  }
  byId('filter').addEventListener('input', (event) => {
    model.filter = event.target.value.trim().toLowerCase();
    drawTable();
  });
}

function chosenTables(tables) {
  const column = COLUMNS.find((candidate) => candidate.id === model.sort.column);
  const sign = model.sort.descending ? -1 : 1;
  const compare = (a, b) => {
    const [left, right] = [column.key(a), column.key(b)];
    if (left === null || right === null) return (left === null) - (right === null);  // Unknown ones last, always.
    const order = typeof left === 'string' ? left.localeCompare(right, 'en', {numeric: true}) : left - right;
    return order * sign || a.source.localeCompare(b.source, 'en', {numeric: true});
  };
  return tables
      .filter((table) => model.state === 'all' || table.state === model.state)
      .filter((table) => `${table.source} ${table.target}`.toLowerCase().includes(model.filter))
      .sort(compare);
}

function drawTable() {
  if (!model.status) return;
  const {tables} = model.status;
  drawStates(tables);
  for (const column of COLUMNS) {
    const sorted = model.sort.column === column.id;
    setAttribute(column.head, 'aria-sort', sorted ? (model.sort.descending ? 'descending' : 'ascending') : 'none');
  }
  const chosen = chosenTables(tables);
  const body = byId('rows');
  chosen.forEach((table, i) => {
    const row = rowsBySource.get(table.source) || makeRow(table.source);
    if (body.children[i] !== row.node) body.insertBefore(row.node, body.children[i] || null);
    drawRow(row, table);
  });
  while (body.children.length > chosen.length) body.lastChild.remove();
  const nothing = byId('nothing');
  nothing.hidden = chosen.length > 0;
  setText(nothing, tables.length === 0 ? 'No tables yet: firn is looking at the source.' : 'No table is like that.');
  setText(byId('table-count'), tables.length === chosen.length ? count(tables.length) : `${count(chosen.length)} of ${count(tables.length)}`);
}

function drawStates(tables) {
  for (const button of byId('states').children) {
    const state = button.dataset.state;
    const number = state === 'all' ? tables.length : tables.filter((table) => table.state === state).length;
    setText(button, `${state} ${count(number)}`);
    setAttribute(button, 'aria-pressed', String(model.state === state));
    button.hidden = state !== 'all' && number === 0 && model.state !== state;
  }
}

function makeRow(source) {
  const row = {cells: new Map()};
  row.node = element('tr', {}, ...COLUMNS.map((column) => {
    const cell = element('td', {class: column.kind, 'data-name': column.name});
    row.cells.set(column.id, cell);
    return cell;
  }));
  row.target = element('span', {class: 'target'});
  row.cells.get('table').append(element('span', {class: 'source'}, source), row.target);
  row.badge = element('span', {class: 'badge'});
  row.progress = element('progress', {max: 100, 'aria-label': `Copy of ${source}`});
  row.more = element('span', {class: 'more'});
  row.reason = element('span', {class: 'reason'});
  row.resync = element('button', {type: 'button', 'aria-label': `Copy ${source} again`}, 'Copy again');
  row.resync.addEventListener('click', () => actions.ask('resync', {table: source}));
  row.compact = element('button', {type: 'button', 'aria-label': `Compact ${source}`}, 'Compact');
  row.compact.addEventListener('click', () => actions.ask('compact', {table: source}));
  row.acts = element('span', {class: 'acts'}, row.resync, row.compact);
  row.cells.get('state').append(row.badge, row.progress, row.more, row.reason, row.acts);
  rowsBySource.set(source, row);
  return row;
}

function drawRow(row, table) {
  setText(row.target, table.target === table.source ? '' : `→ ${table.target}`);
  setText(row.badge, table.state);
  setAttribute(row.badge, 'data-state', table.state);
  const copying = table.state === 'copying';
  row.progress.hidden = !copying;
  if (copying) row.progress.value = copyPart(table) * 100;
  setText(row.more, copying ? copyText(table) : nextTryText(table));
  setText(row.reason, table.reason || '');
  row.acts.hidden = !actions.allowed || copying || table.state === 'stopped';
  row.compact.hidden = table.state !== 'streaming';
  for (const button of [row.resync, row.compact]) button.disabled = model.failure !== null;
  for (const column of COLUMNS) {
    if (!column.text) continue;
    const cell = row.cells.get(column.id);
    const key = column.key(table);
    setText(cell, key === null ? '–' : column.text(key));
    const title = column.title && column.title(table);
    if (title) setAttribute(cell, 'title', title);
  }
}

function nextTryText(table) {
  if (!table.next_try) return '';
  const left = (Date.parse(table.next_try) - Date.now() - model.clockSkew) / 1000;
  return left > 1 ? `tried again in ${seconds(left)}` : 'tried again now';
}

const copyPart = (table) => table.rows_estimated > 0 ? Math.min(0.99, table.rows_copied / table.rows_estimated) : 0;

function copyText(table) {
  if (table.rows_estimated <= 0) return `${count(table.rows_copied)} rows`;
  const done = `${count(table.rows_copied)} of about ${count(table.rows_estimated)} rows`;
  const now = Date.now();
  const first = model.samples.find((sample) => sample.at > now - ETA_MS && sample.copied && sample.copied.has(table.source));
  const speed = first && (table.rows_copied - first.copied.get(table.source)) * 1000 / (now - first.at);
  const left = table.rows_estimated - table.rows_copied;
  return speed > 0 && left > 0 ? `${done}, ${seconds(left / speed)} left` : done;
}

// --- All of it ---

function draw() {
  drawHead();
  drawNotices();
  drawActions();
  drawFlow();
  drawCharts();
  drawKeeps();
  drawTable();
}

makeActions();
makeFlow();
makeCharts();
makeKeeps();
makeTable();
draw();
poll();
