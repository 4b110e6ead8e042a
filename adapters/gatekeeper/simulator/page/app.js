// The page on which one is a person of the gatekeeper. Everything that comes from the server is put in as text, never as markup:
// names and messages are chosen by strangers.
'use strict';

const $ = (id) => document.getElementById(id);
const base = '/sandbox/v1';
let state = null; // GET /state
let me = ''; // id of the person played
let open = ''; // id of the open chat
let chat = null; // GET /chats/{open}
let editing = ''; // id of the message being edited
let replying = ''; // id of the message being answered
let drawn = ''; // what is drawn in the message list

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

function person() { return state.people.find((p) => p.id === me); }

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

function drawList() {
  const p = person();
  if (!p) return;
  $('me').textContent = plainName(p.display || p.id);
  drawMe(p);
  $('optin').checked = p.opted_in;
  $('optin-text').textContent = p.opted_in
    ? (p.accepts === 'open' ? 'Users of other services can write to you.' : 'Users of other services can ask you for contact.')
    : 'You cannot be found from other services.';
  $('codes').replaceChildren(...state.codes.map(codeCard));
  const asked = p.chats.filter((c) => c.request === 'pending');
  $('requests').replaceChildren(...asked.map(requestCard));
  const rest = p.chats.filter((c) => c.request !== 'pending' && (c.count > 0 || c.granted || c.id === open));
  const focused = document.activeElement && document.activeElement.dataset ? document.activeElement.dataset.chat : '';
  $('chats').replaceChildren(...rest.map(chatRow));
  if (focused) for (const row of $('chats').querySelectorAll('button.row')) if (row.dataset.chat === focused) row.focus();
  $('empty').hidden = asked.length + rest.length > 0;
  drawStart(p);
  const n = state.counts;
  $('counts').textContent = `${n.posts} messages accepted · ${n.deliveries} webhook attempts · ${n.webhooks_waiting} waiting`;
  const faults = Object.values(state.faults).filter((v) => v > 0).length;
  $('faults-on').hidden = faults === 0;
  $('faults-on').textContent = faults;
}

function drawStart(p) {
  const key = JSON.stringify([p.id, state.users.map((u) => [u.internal_id, u.display])]);
  const start = $('start');
  if (start.dataset.key === key) return;
  start.dataset.key = key;
  const first = el('option', '', state.users.length ? 'Choose…' : 'Nobody is enlisted yet');
  first.value = '';
  start.replaceChildren(first, ...state.users.map((u) => {
    const option = el('option', '', plainName(u.display || u.identifier.value) + ' · ' + u.identifier.value);
    option.value = u.internal_id;
    return option;
  }));
}

// codeCard is what a user of another service finds on their own phone. Of the number only so much as tells two apart.
function codeCard(c) {
  const item = el('li', 'request code');
  const value = c.identifier.value;
  const to = c.identifier.type === 'phone' ? '•••' + value.slice(-4) : value.slice(0, 1) + '•••' + value.slice(value.indexOf('@'));
  item.append(el('span', '', 'Code for ' + to + ', until ' + clock(c.expires_at)), el('strong', '', c.code));
  return item;
}

function requestCard(c) {
  const item = el('li', 'request');
  const from = el('div', 'from');
  const names = el('div');
  names.append(el('strong', '', plainName(c.user_display)), el('span', '', c.user_value + ' asks for contact'));
  from.append(avatar(c.user_display), names);
  item.append(from);
  if (c.request_message) item.append(el('blockquote', '', c.request_message));
  const buttons = el('div', 'buttons');
  const no = el('button', 'quiet', 'Decline');
  const yes = el('button', '', 'Accept');
  no.type = yes.type = 'button';
  no.onclick = quietly(() => api('POST', `/people/${me}/answer`, { to: c.user, accept: false }));
  yes.onclick = quietly(async () => { await api('POST', `/people/${me}/answer`, { to: c.user, accept: true }); select(c.id); });
  buttons.append(no, yes);
  item.append(buttons);
  return item;
}

function chatRow(c) {
  const item = el('li');
  const row = el('button', 'row');
  row.type = 'button';
  row.dataset.chat = c.id;
  if (c.id === open) row.setAttribute('aria-current', 'true');
  const last = c.typing ? 'typing…' : c.last ? (c.last.from_user ? '' : 'You: ') + summary(c.last) : 'No messages yet';
  row.append(avatar(c.user_display), el('span', 'title', plainName(c.user_display)), el('span', 'time', c.last ? clock(c.last.sent_at) : ''), el('span', 'sub', last));
  const unread = c.id === open ? 0 : c.unread;
  const mark = el('span', unread ? 'unread' : '', unread ? unread : '');
  if (unread) mark.setAttribute('aria-label', unread + ' unread');
  row.append(mark);
  row.onclick = () => select(c.id);
  item.append(row);
  return item;
}

const ticks = { queued: ['○', 'sent'], delivered: ['✓', 'delivered'], read: ['✓✓', 'read'], failed: ['!', 'not delivered'] };

function bubble(m, byID) {
  const item = el('li', m.from_user ? (m.client_id ? '' : 'native') : 'mine');
  if (!m.retracted && m.content && (m.content.media || []).some((part) => part.kind === 'sticker')) item.classList.add('bare');
  item.dataset.id = m.id;
  if (m.reply_to) {
    const original = byID.get(m.reply_to);
    item.append(el('span', 'quote', original ? summary(original) : 'An earlier message'));
  }
  item.append(body(m));
  const meta = el('div', 'meta');
  const act = (text, name, does) => {
    const button = el('button', 'act', text);
    button.type = 'button';
    if (name) button.setAttribute('aria-label', name);
    button.onclick = does;
    meta.append(button);
    return button;
  };
  if (!m.from_user && !m.retracted) {
    if (m.content && typeof m.content.text === 'string') act('Edit', '', () => edit(m));
    act('Take back', '', quietly(() => api('DELETE', '/messages/' + m.id)));
  } else if (m.from_user && !m.retracted) {
    act('Reply', '', () => reply(m));
    const own = (m.reactions || {})['gku_' + me] || [];
    for (const emoji of ['❤️', '👍', '😂']) {
      const set = own.includes(emoji) ? [] : [emoji];
      act(emoji, 'React with ' + emoji, quietly(() => api('PUT', `/messages/${m.id}/reactions`, { emojis: set }))).setAttribute('aria-pressed', String(!set.length));
    }
  }
  if (m.from_user && !m.client_id) meta.append(el('span', '', 'by their own app'));
  if (m.revision > 0 && !m.retracted) meta.append(el('span', '', 'edited'));
  meta.append(el('time', '', clock(m.sent_at)));
  if (!m.from_user) {
    const [mark, word] = ticks[m.status] || ticks.queued;
    const status = el('span', 'status ' + m.status, mark);
    status.setAttribute('role', 'img');
    status.setAttribute('aria-label', word);
    status.title = word;
    meta.append(status);
  }
  item.append(meta);
  const reactions = Object.values(m.reactions || {}).flat();
  if (reactions.length) {
    item.classList.add('reacted');
    item.append(el('span', 'reactions', reactions.join(' ')));
  }
  return item;
}

function drawChat() {
  $('nochat').hidden = !!chat;
  $('conversation').hidden = !chat;
  $('app').dataset.view = chat ? 'chat' : 'list';
  if (!chat) return;
  const name = plainName(chat.user_display);
  dress($('peer-avatar'), chat.user_display);
  $('peer').textContent = name;
  $('peer-id').textContent = chat.user_value + (chat.blocked ? ' · blocked' : '');
  $('block').textContent = chat.blocked ? 'Unblock' : 'Block';
  $('typing').textContent = chat.typing ? name + ' is typing…' : '';
  const messages = (chat.messages || []).slice(-200);
  const key = JSON.stringify([chat.id, messages]);
  if (key === drawn) return;
  drawn = key;
  const list = $('messages');
  const atEnd = list.scrollHeight - list.scrollTop - list.clientHeight < 80;
  const byID = new Map(messages.map((m) => [m.id, m]));
  const nodes = [];
  let today = '';
  for (const m of messages) {
    if (day(m.sent_at) !== today) {
      today = day(m.sent_at);
      nodes.push(el('li', 'day', today));
    }
    nodes.push(bubble(m, byID));
  }
  if (nodes.length) nodes[0].classList.add('first');
  list.replaceChildren(...nodes);
  if (atEnd || list.dataset.chat !== chat.id) list.scrollTop = list.scrollHeight;
  list.dataset.chat = chat.id;
}

function reply(m) {
  stopEditing();
  replying = m.id;
  $('composing-as').textContent = 'You are answering: ' + summary(m).slice(0, 80) + '. Press Escape to stop.';
  $('text').focus();
}

function edit(m) {
  replying = '';
  editing = m.id;
  $('text').value = m.content.text;
  $('composing-as').textContent = 'You are editing a message. Press Escape to stop.';
  $('text').focus();
}
function stopEditing() {
  editing = '';
  replying = '';
  $('composing-as').textContent = '';
  $('text').value = '';
}

async function select(id) {
  if (editing || replying) stopEditing();
  open = id;
  drawn = '';
  await refresh();
  if (chat) $('text').focus();
}

// refresh fetches what is shown; changes that come meanwhile lead to one more round.
let busy = false;
let again = false;
async function refresh() {
  if (busy) { again = true; return; }
  busy = true;
  try {
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
  } finally {
    busy = false;
  }
}

let lastTyping = 0;
const composing = quietly(async (stateName) => {
  const now = Date.now();
  if (!open || (stateName === 'composing' && now - lastTyping < 5000)) return;
  lastTyping = stateName === 'composing' ? now : 0;
  await api('POST', `/people/${me}/typing`, { to: open, state: stateName });
});

const send = quietly(async () => {
  const text = $('text').value;
  if (!text.trim() || !open) return;
  const target = editing;
  const original = replying;
  stopEditing();
  grow();
  lastTyping = 0;
  if (target) await api('PATCH', '/messages/' + target, { text });
  else await api('POST', `/people/${me}/messages`, { to: open, text, reply_to: original });
});

function grow() {
  const box = $('text');
  box.rows = Math.min(6, box.value.split('\n').length);
}

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

function wire() {
  $('who').onchange = quietly(async () => {
    me = $('who').value;
    open = '';
    history.replaceState(null, '', '#' + me);
    await refresh();
  });
  $('optin').onchange = quietly(() => api('PATCH', '/people/' + me, { opted_in: $('optin').checked }));
  $('start').onchange = quietly(async () => {
    const to = $('start').value;
    $('start').value = '';
    if (!to) return;
    const begun = await api('POST', `/people/${me}/open`, { to });
    await select(begun.id);
  });
  $('back').onclick = quietly(() => select(''));
  $('block').onclick = quietly(() => api('PUT', `/people/${me}/block`, { to: open, blocked: !chat.blocked }));
  $('compose').onsubmit = (e) => { e.preventDefault(); send(); };
  $('text').oninput = () => { grow(); if (!editing) composing($('text').value ? 'composing' : 'paused'); };
  $('text').onkeydown = (e) => {
    if (e.key === 'Enter' && !e.shiftKey && !e.isComposing) { e.preventDefault(); send(); }
    if (e.key === 'Escape' && (editing || replying)) stopEditing();
  };
  $('faults-open').onclick = () => { showFaults(); $('faults').showModal(); };
  $('faults-close').onclick = () => $('faults').close();
  $('faults-clear').onclick = async () => { if (await putFaults({})) $('faults').close(); };
  $('faults-form').onsubmit = async (e) => {
    e.preventDefault();
    const values = {};
    for (const input of $('faults-fields').querySelectorAll('input')) values[input.name] = Number(input.value);
    if (await putFaults(values)) $('faults').close();
  };
  document.onvisibilitychange = quietly(refresh);
}

buildFaults();
wire();
wireAttachments();
me = location.hash.slice(1);
const stream = new EventSource(base + '/changes');
stream.onmessage = quietly(refresh);
stream.onopen = () => { $('offline').hidden = true; };
stream.onerror = () => { $('offline').hidden = false; };
