// What every sandbox page stands on: calls of the control API, elements, names, faults. Everything that comes from the server is put in
// as text, never as markup: names and messages are chosen by strangers.
'use strict';

const $ = (id) => document.getElementById(id);
const base = '/sandbox/v1';

const faultFields = [
  ['API', [
    ['latency_ms', 'Latency, ms'], ['jitter_ms', 'Jitter, ms'], ['error_rate', 'Rate of 503'], ['limit_rate', 'Rate of 429'],
    ['limit_retry_after_s', 'Retry-After, s (0: none)'], ['timeout_rate', 'Rate of answers kept back'], ['timeout_hold_ms', 'Kept back for, ms'],
  ]],
  ['Webhooks', [
    ['webhook_parallel', 'In parallel per chat (1 to 8)'], ['webhook_drop_rate', 'Rate of lost ones'], ['webhook_replay_rate', 'Rate of replayed ones'],
    ['webhook_bad_signature_rate', 'Rate of bad signatures'], ['webhook_stale_rate', 'Rate of stale timestamps'],
  ]],
];

async function api(method, path, body) {
  const answer = await fetch(base + path, {
    method, headers: { 'Content-Type': 'application/json' }, body: body === undefined ? undefined : JSON.stringify(body),
  });
  const out = await answer.json();
  if (!answer.ok) throw new Error(out.error || 'status ' + answer.status);
  return out;
}

let toastTimer = 0;
function complain(err) {
  $('toast').textContent = err.message;
  $('toast').hidden = false;
  clearTimeout(toastTimer);
  toastTimer = setTimeout(() => { $('toast').hidden = true; }, 5000);
}
const quietly = (fn) => (...args) => Promise.resolve(fn(...args)).catch(complain);

function el(tag, className, text) {
  const node = document.createElement(tag);
  if (className) node.className = className;
  if (text !== undefined) node.textContent = text;
  return node;
}

// Unicode direction overrides in a name would reorder the words around it.
const plainName = (s) => String(s).replace(/[\u202a-\u202e\u2066-\u2069]/g, '').trim() || '(no name)';

function dress(node, name) {
  const clean = plainName(name);
  let sum = 0;
  for (const c of clean) sum = (sum + c.codePointAt(0)) % 6;
  node.className = 'avatar c' + sum;
  node.textContent = [...clean][0].toUpperCase();
  return node;
}
const avatar = (name) => { const n = dress(el('span'), name); n.setAttribute('aria-hidden', 'true'); return n; };

const clock = (iso) => new Date(iso).toLocaleTimeString([], { hour: '2-digit', minute: '2-digit' });
const day = (iso) => new Date(iso).toLocaleDateString([], { weekday: 'long', day: 'numeric', month: 'long' });

function buildFaults() {
  for (const [title, fields] of faultFields) {
    $('faults-fields').append(el('h3', '', title));
    for (const [name, text] of fields) {
      const label = el('label', '', text);
      const input = el('input');
      input.type = 'number';
      input.name = name;
      input.min = '0';
      input.step = name.endsWith('_rate') ? '0.01' : '1';
      if (name.endsWith('_rate')) input.max = '1';
      if (name === 'webhook_parallel') input.max = '8';
      label.append(input);
      $('faults-fields').append(label);
    }
  }
}

async function putFaults(values) {
  try {
    await api('PUT', '/faults', values);
    $('faults-error').textContent = '';
    return true;
  } catch (err) {
    $('faults-error').textContent = err.message;
    return false;
  }
}

function showFaults() {
  for (const input of $('faults-fields').querySelectorAll('input')) input.value = state.faults[input.name];
}

function wireFaults() {
  buildFaults();
  $('faults-open').onclick = () => { showFaults(); $('faults').showModal(); };
  $('faults-close').onclick = () => $('faults').close();
  $('faults-clear').onclick = async () => { if (await putFaults({})) $('faults').close(); };
  $('faults-form').onsubmit = async (e) => {
    e.preventDefault();
    const values = {};
    for (const input of $('faults-fields').querySelectorAll('input')) values[input.name] = Number(input.value);
    if (await putFaults(values)) $('faults').close();
  };
}

// drawCounts shows totals and how many faults are on.
function drawCounts() {
  const n = state.counts;
  $('counts').textContent = `${n.posts} messages accepted · ${n.deliveries} webhook attempts · ${n.webhooks_waiting} waiting`;
  const faults = Object.values(state.faults).filter((v) => v > 0).length;
  $('faults-on').hidden = faults === 0;
  $('faults-on').textContent = faults;
}

function person() { return state.people.find((p) => p.id === me); }

// drawPeople offers whom to play.
function drawPeople() {
  const pick = $('who');
  const key = JSON.stringify(state.people.map((p) => [p.id, p.display, p.persona]));
  if (pick.dataset.key !== key) {
    pick.dataset.key = key;
    pick.replaceChildren(...state.people.map((p) => {
      const option = el('option', '', plainName(p.display || p.id) + (p.persona === 'none' ? '' : ' (plays itself)'));
      option.value = p.id;
      return option;
    }));
  }
  if (!person()) me = state.people.length ? state.people[0].id : '';
  pick.value = me;
}

// redraw fills a list of chats and keeps the focus where it is.
function redraw(list, nodes) {
  const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.chat : '';
  list.replaceChildren(...nodes);
  if (focused) for (const row of list.querySelectorAll('button.row')) if (row.dataset.chat === focused) row.focus();
}

// refresh fetches what is shown; changes that come meanwhile lead to one more round, for which all wait.
let running = null;
let again = false;
function refresh() {
  if (running) again = true;
  else running = rounds().finally(() => {
    running = null;
    if (again) refresh();
  });
  return running;
}

async function rounds() {
  do {
    again = false;
    state = await api('GET', '/state');
    document.title = state.name;
    $('name').textContent = state.name;
    drawPeople();
    const p = person();
    if (open && !(p && p.chats.some((c) => c.id === open))) open = '';
    chat = open ? await api('GET', '/chats/' + open) : null;
    drawList();
    drawChat();
    if (chat && !document.hidden && chat.unread > 0 && p.persona === 'none' && !chat.blocked) {
      await api('POST', `/people/${me}/read`, { to: open });
    }
  } while (again);
}

// follow draws at every change of the sandbox. The page's fragment says whom to play, and behind a slash which chat is open.
function follow() {
  $('who').onchange = quietly(async () => {
    me = $('who').value;
    open = '';
    history.replaceState(null, '', '#' + me);
    await refresh();
  });
  document.onvisibilitychange = quietly(refresh);
  [me, open = ''] = decodeURIComponent(location.hash.slice(1)).split('/');
  const stream = new EventSource(base + '/changes');
  stream.onmessage = quietly(refresh);
  stream.onopen = () => { $('offline').hidden = true; };
  stream.onerror = () => { $('offline').hidden = false; };
}
