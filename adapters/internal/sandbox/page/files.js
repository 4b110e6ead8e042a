// What a person can send beside text, calls, and how it looks itself.
'use strict';

const samples = {
  Location: { location: { latitude: 45.4419, longitude: 10.9988, name: 'Balcony', address: 'Via Cappello 23, Verona' } },
  'Contact card': { contact: { name: 'Friar Laurence', phones: ['+390451230002'], emails: ['laurence@verona.example'] } },
  Poll: { poll: { question: 'Meet at the balcony?', options: [{ id: 'yes', title: 'Yes' }, { id: 'no', title: 'No' }, { id: 'late', title: 'Later' }] } },
  Buttons: { interactive: { header: 'Apothecary', body: 'What shall it be?', footer: 'Open till nine', choices: [{ id: 'p', title: 'Poison' }, { id: 'a', title: 'Antidote' }] } },
  'Styled text': { text: 'Good night, good night! The butler did it.', spans: [{ start: 0, length: 10, style: 'bold' }, { start: 24, length: 18, style: 'spoiler' }] },
  'Link with preview': { text: 'https://verona.example/', previews: [{ url: 'https://verona.example/', title: 'Verona', description: 'A fair city' }] },
};

const say = (content) => api('POST', `/people/${me}/messages`, { to: open, content });

async function upload(file, kind) {
  const query = new URLSearchParams({ name: file.name });
  if (kind) query.set('kind', kind);
  const answer = await fetch(base + '/media?' + query, { method: 'POST', headers: { 'Content-Type': file.type || 'application/octet-stream' }, body: file });
  const out = await answer.json();
  if (!answer.ok) throw new Error(out.error);
  return out;
}

async function sample(name) {
  if (samples[name]) return say(samples[name]);
  const orders = {
    Picture: { width: 480, height: 320, seed: Date.now() % 1000, name: 'picture.png' },
    Sticker: { width: 160, height: 160, kind: 'sticker', emoji: '🌹', seed: Date.now() % 1000 },
    'Large file': { size: 20 << 20, type: 'application/pdf', name: 'folio.pdf' },
  };
  return say({ media: [await api('POST', '/media', orders[name])] });
}

function wireFiles() {
  const menu = $('attach');
  menu.replaceChildren(el('option', '', '+'), ...['File…', 'Picture', 'Sticker', 'Large file', ...Object.keys(samples)].map((name) => el('option', '', name)));
  menu.onchange = quietly(async () => {
    const name = menu.value;
    menu.selectedIndex = 0;
    if (!open) return;
    if (name === 'File…') $('file').click();
    else await sample(name);
  });
  $('file').onchange = quietly(async () => {
    const [file] = $('file').files;
    $('file').value = '';
    if (file && open) await say({ media: [await upload(file)] });
  });
}

function wireCalls() {
  let ringing = '';
  $('call').onclick = quietly(async () => {
    const state = ringing ? 'missed' : 'ringing';
    const out = await api('POST', `/people/${me}/calls`, { to: open, state, call_id: ringing });
    ringing = ringing ? '' : out.call_id;
    $('call').textContent = ringing ? 'Hang up' : 'Call';
  });
}

// drawMe shows name and picture of the person who is played.
function drawMe(p) {
  $('me').textContent = plainName(p.display || p.id);
  const node = $('my-avatar');
  if (p.avatar) {
    if (node.dataset.avatar !== p.avatar) {
      const img = el('img');
      img.src = base + '/media/' + encodeURIComponent(p.avatar);
      img.alt = '';
      node.className = 'avatar picture';
      node.replaceChildren(img);
    }
  } else dress(node, p.display || p.id);
  node.dataset.avatar = p.avatar || '';
}

function wireMe() {
  $('my-avatar').onclick = () => $('picture').click();
  $('picture').onchange = quietly(async () => {
    const [file] = $('picture').files;
    $('picture').value = '';
    if (file) await api('PATCH', '/people/' + me, { avatar: (await upload(file)).media_id });
  });
  $('me').onclick = quietly(async () => {
    const name = prompt('Your name', person().display);
    if (name && name.trim()) await api('PATCH', '/people/' + me, { display: name.trim() });
  });
}
