// The page on which one is a person of the gatekeeper. Everything that comes from the server is put in as text, never as markup:
// names and messages are chosen by strangers.
'use strict';

function drawList() {
  const p = person();
  if (!p) return;
  drawMe(p);
  drawSwitched(p);
  $('optin').checked = p.opted_in;
  $('optin-text').textContent = p.opted_in
    ? (p.accepts === 'open' ? 'Users of other services can write to you.' : 'Users of other services can ask you for contact.')
    : 'You cannot be found from other services.';
  $('codes').replaceChildren(...state.codes.map(codeCard));
  const asked = p.chats.filter((c) => c.request === 'pending');
  $('requests').replaceChildren(...asked.map(requestCard));
  const rest = p.chats.filter((c) => c.request !== 'pending' && (c.count > 0 || c.granted || c.id === open));
  redraw($('chats'), rest.map(chatRow));
  $('empty').hidden = asked.length + rest.length > 0;
  drawStart(p);
  drawCounts();
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

function wire() {
  $('optin').onchange = quietly(() => api('PATCH', '/people/' + me, { opted_in: $('optin').checked }));
  $('start').onchange = quietly(async () => {
    const to = $('start').value;
    $('start').value = '';
    if (!to) return;
    const begun = await api('POST', `/people/${me}/open`, { to });
    await select(begun.id);
  });
}

selfKey = () => 'gku_' + me;
wireFaults();
wireChat();
wire();
wireAttachments();
follow();
