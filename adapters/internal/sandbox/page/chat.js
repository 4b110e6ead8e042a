// One conversation: its row in the list, its messages, what is written.
'use strict';

let state = null; // GET /state
let me = ''; // id of the person played
let open = ''; // id of the open chat
let chat = null; // GET /chats/{open}
let editing = ''; // id of the message being edited
let replying = ''; // id of the message being answered
let drawn = ''; // what is drawn in the message list

// What the two kinds of pages call a person differently in: ids in reactions and answers.
let selfKey = () => me;
const ownOf = (byWhom) => (byWhom || {})[selfKey()] || [];
const chatName = (c) => plainName(c.title || c.user_display);
// byHand says that the owner of the account wrote it in the platform's own app.
const byHand = (m) => m.from_user && (m.by_hand === undefined ? !m.client_id : m.by_hand);

function chatRow(c) {
  const item = el('li');
  const row = el('button', 'row');
  row.type = 'button';
  row.dataset.chat = c.id;
  if (c.id === open) row.setAttribute('aria-current', 'true');
  const last = c.typing ? 'typing…' : c.last ? (c.last.from_user ? '' : 'You: ') + summary(c.last) : 'No messages yet';
  row.append(avatar(chatName(c)), el('span', 'title', chatName(c)), el('span', 'time', c.last ? clock(c.last.sent_at) : ''), el('span', 'sub', last));
  const unread = c.id === open ? 0 : c.unread;
  const mark = el('span', unread ? 'unread' : '', unread ? unread : '');
  if (unread) mark.setAttribute('aria-label', unread + ' unread');
  row.append(mark);
  row.onclick = () => select(c.id);
  item.append(row);
  return item;
}

const ticks = { queued: ['○', 'sent'], delivered: ['✓', 'delivered'], read: ['✓✓', 'read'], failed: ['!', 'not delivered'] };

// reacted is a reaction; in a group it says whose.
const reacted = (emojis) => (chat.members ? { emojis, person: me } : { emojis });

function bubble(m, byID) {
  const mine = !m.from_user && (!m.author || m.author === me);
  const item = el('li', mine ? 'mine' : byHand(m) ? 'native' : '');
  if (!m.retracted && m.content && (m.content.media || []).some((part) => part.kind === 'sticker')) item.classList.add('bare');
  item.dataset.id = m.id;
  if (m.reply_to) {
    const original = byID.get(m.reply_to);
    item.append(el('span', 'quote', original ? summary(original) : 'An earlier message'));
  }
  if (!m.from_user && !mine) item.append(el('strong', 'author', plainName(m.author)));
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
  if (mine && !m.retracted) {
    if (m.content && typeof m.content.text === 'string') act('Edit', '', () => edit(m));
    act('Take back', '', quietly(() => api('DELETE', '/messages/' + m.id)));
  } else if (!m.retracted) {
    act('Reply', '', () => reply(m));
    const own = ownOf(m.reactions);
    for (const emoji of ['❤️', '👍', '😂']) {
      const set = own.includes(emoji) ? [] : [emoji];
      act(emoji, 'React with ' + emoji, quietly(() => api('PUT', `/messages/${m.id}/reactions`, reacted(set)))).setAttribute('aria-pressed', String(!set.length));
    }
  }
  if (byHand(m)) meta.append(el('span', '', 'by their own app'));
  if (m.revision > 0 && !m.retracted) meta.append(el('span', '', 'edited'));
  meta.append(el('time', '', clock(m.sent_at)));
  if (mine) {
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
  const name = chatName(chat);
  dress($('peer-avatar'), chatName(chat));
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

function wireChat() {
  $('compose').onsubmit = (e) => { e.preventDefault(); send(); };
  $('text').oninput = () => { grow(); if (!editing) composing($('text').value ? 'composing' : 'paused'); };
  $('text').onkeydown = (e) => {
    if (e.key === 'Enter' && !e.shiftKey && !e.isComposing) { e.preventDefault(); send(); }
    if (e.key === 'Escape' && (editing || replying)) stopEditing();
  };
  $('back').onclick = quietly(() => select(''));
  $('block').onclick = quietly(() => api('PUT', `/people/${me}/block`, { to: open, blocked: !chat.blocked }));
}
