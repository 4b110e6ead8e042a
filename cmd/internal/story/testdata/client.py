"""A user on slixmpp: registers with a gateway by ad-hoc command, adds a person, and talks with all that a client of today has.

Arguments: host port jid password gateway person say expect
Each line of output is one step that went well; the exit status is 0 when all did. What a person does in between is up to the
reader of those lines.
"""

import asyncio
import hashlib
import io
import re
import ssl
import sys
import urllib.request
from xml.etree import ElementTree

import slixmpp

HOST, PORT, JID, PASSWORD, GATEWAY, PERSON, SAY, EXPECT = sys.argv[1:]

PLUGINS = (
    "xep_0004", "xep_0030", "xep_0050", "xep_0054", "xep_0055", "xep_0060", "xep_0066", "xep_0077", "xep_0084", "xep_0085", "xep_0115",
    "xep_0153", "xep_0163", "xep_0172", "xep_0184", "xep_0308", "xep_0333", "xep_0334", "xep_0359", "xep_0363", "xep_0428", "xep_0444", "xep_0461",
)
EVENTS = (
    "message", "receipt_received", "changed_subscription", "presence_available", "marker_displayed", "reactions", "chatstate_composing",
    "avatar_metadata_publish", "vcard_avatar_update",
)
# The smallest picture that is one: a PNG of one pixel.
PICTURE = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010802000000907753de0000000c49444154789c6338c0c00000024400c1938c68220000000049454e44ae426082")


def step(what):
    print(what, flush=True)


def child(stanza, namespace, name):
    """An element that the plugins of Debian 12 do not know in this version."""
    return stanza.xml.find("{%s}%s" % (namespace, name))


class User(slixmpp.ClientXMPP):
    """Answers subscription requests and receipt requests as slixmpp does by itself."""

    def __init__(self):
        super().__init__(JID, PASSWORD)
        for plugin in PLUGINS:
            self.register_plugin(plugin)
        self["feature_mechanisms"].unencrypted_plain = True
        self["feature_mechanisms"].unencrypted_scram = True
        self.auto_authorize = True
        self.auto_subscribe = True
        self.came = asyncio.Queue()
        self.outcome = asyncio.get_event_loop().create_future()
        self.add_event_handler("session_start", self.start)
        self.add_event_handler("failed_all_auth", lambda _: self.outcome.set_exception(RuntimeError("login refused")))
        for event in EVENTS:
            self.add_event_handler(event, lambda stanza, event=event: self.came.put_nowait((event, stanza)))

    async def start(self, _):
        try:
            await self.play()
            self.outcome.set_result(None)
        except Exception as error:  # whatever went wrong is the outcome
            self.outcome.set_exception(error)

    async def wait(self, what, match):
        """Waits for an event; what came before it is passed over."""
        passed = []
        while True:
            try:
                event, stanza = await asyncio.wait_for(self.came.get(), 30)
            except asyncio.TimeoutError:
                raise RuntimeError("%s: not within 30 s; came: %s" % (what, passed)) from None
            if match(event, stanza):
                step(what)
                return stanza
            passed.append("%s %s" % (event, stanza))

    async def command(self, node, answers):
        """Goes through a command of one step, saying yes to every question that only yes answers."""
        first = await self["xep_0050"].send_command(GATEWAY, node)
        form = first["command"]["form"]
        reply = self["xep_0004"].make_form(ftype="submit")
        for name, field in form.get_fields().items():
            value = answers.get(name, field["value"])
            if field["type"] == "boolean" and field["required"]:
                value = True
            if field["type"] != "fixed" and name:
                reply.add_field(var=name, ftype=field["type"], value=value)
        done = await self["xep_0050"].send_command(
            GATEWAY, node, action="complete", payload=reply, sessionid=first["command"]["sessionid"])
        if done["command"]["status"] != "completed":
            raise RuntimeError("%s: %s" % (node, done))
        return " ".join(text for _, text in done["command"]["notes"])

    async def play(self):
        await self.get_roster()
        self.send_presence()
        contact = await self.join()
        mine, theirs = await self.talk(contact)
        await self.change(contact, mine, theirs)
        await self.see_changes(contact, mine, theirs)
        await self.look_up(contact)
        await self.share(contact)
        await self.recognise(contact)

    async def join(self):
        """Registers and adds the person (XEP-0030, 0050, 0077)."""
        info = await self["xep_0030"].get_info(jid=GATEWAY)
        if not any(category == "gateway" for category, *_ in info["disco_info"]["identities"]):
            raise RuntimeError("no gateway: %s" % info)
        step("found")
        await self.command("jabber:iq:register", {"display": "Romeo"})
        step("registered")
        await self.wait("receipt of the consent", lambda e, s: e == "message" and "Receipt of your consent" in s["body"])
        await self.wait("gateway online", lambda e, s: e == "presence_available" and s["from"].bare == GATEWAY)
        form = await self["xep_0077"].get_registration(GATEWAY)
        if not form["register"]["registered"]:
            raise RuntimeError("not registered: %s" % form)

        contact = re.search(r"\S+@" + re.escape(GATEWAY), await self.command("add", {"query": PERSON})).group()
        step("added")
        await self.wait("contact online", lambda e, s: e == "presence_available" and s["from"].bare == contact)
        return contact

    async def talk(self, contact):
        """A text each way (XEP-0085, 0184, 0333, 0359)."""
        message = self.make_message(mto=contact, mbody=SAY, mtype="chat")
        message["id"] = self.new_id()
        message["request_receipt"] = True
        message.enable("markable")
        message.send()
        await self.wait("receipt", lambda e, s: e == "receipt_received" and s["receipt"] == message["id"])
        await self.wait("displayed", lambda e, s: e == "marker_displayed" and s["displayed"]["id"] == message["id"])
        await self.wait("typing", lambda e, s: e == "chatstate_composing" and s["from"].bare == contact)
        got = await self.wait("answer", lambda e, s: e == "message" and s["body"] == EXPECT and s["from"].bare == contact)
        if not got["request_receipt"] or got["origin_id"]["id"] != got["id"]:
            raise RuntimeError("answer: %s" % got)
        await self.get_roster()
        for jid in (GATEWAY, contact):
            if self.client_roster[jid]["subscription"] != "both":
                raise RuntimeError("roster: %s is %s" % (jid, self.client_roster[jid]["subscription"]))
        step("roster")
        self["xep_0333"].send_marker(contact, got["id"], "displayed")
        step("read")
        return message["id"], got

    async def change(self, contact, mine, theirs):
        """The user corrects, reacts, replies and retracts (XEP-0308, 0444, 0461 with 0428, 0424)."""
        correction = self.make_message(mto=contact, mbody=SAY + " (corrected)", mtype="chat")
        correction["replace"]["id"] = mine
        correction.send()
        step("corrected")
        self["xep_0444"].send_reactions(contact, theirs["id"], ["👍"])
        step("reacted")
        quote = "> " + EXPECT + "\n"
        reply = self.make_message(mto=contact, mbody=quote + "my reply", mtype="chat")
        reply["reply"]["id"] = theirs["id"]
        reply["reply"]["to"] = str(theirs["from"])
        reply.append(ElementTree.fromstring(
            "<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:reply:0'><body start='0' end='%d'/></fallback>" % len(quote)))
        reply.send()
        step("replied")
        gone = self.make_message(mto=contact, mbody="forget this", mtype="chat")
        gone["id"] = self.new_id()
        gone.send()
        retraction = self.make_message(mto=contact, mbody="/me retracted a message", mtype="chat")
        retraction.append(ElementTree.fromstring("<retract xmlns='urn:xmpp:message-retract:1' id='%s'/>" % gone["id"]))
        retraction.append(ElementTree.fromstring("<fallback xmlns='urn:xmpp:fallback:0' for='urn:xmpp:message-retract:1'/>"))
        retraction.enable("store")
        retraction.send()
        step("retracted")

    async def see_changes(self, contact, mine, theirs):
        """The person does the same."""
        step("changes, please")
        await self.wait("reaction", lambda e, s: e == "reactions" and s["reactions"]["id"] == mine and s["reactions"].get_values() == {"🌹"})
        await self.wait("correction", lambda e, s: e == "message" and s["replace"]["id"] == theirs["id"])
        reply = await self.wait("reply", lambda e, s: e == "message" and s["reply"]["id"] == mine)
        quoted = child(reply, "urn:xmpp:fallback:0", "fallback")
        end = int(quoted[0].get("end")) if quoted is not None else 0
        if reply["body"][end:] != "their reply":
            raise RuntimeError("reply: %s" % reply)
        await self.wait("retraction", lambda e, s: e == "message" and child(s, "urn:xmpp:message-retract:1", "retract") is not None)

    async def look_up(self, contact):
        """The gateway's prompt and its search (XEP-0100, 0055)."""
        prompt = await self.make_iq_get(ito=GATEWAY, queryxmlns="jabber:iq:gateway").send()
        if not prompt.xml[0].findtext("{jabber:iq:gateway}prompt"):
            raise RuntimeError("prompt: %s" % prompt)
        ask = self.make_iq_set(ito=GATEWAY)
        ask.append(ElementTree.fromstring("<query xmlns='jabber:iq:gateway'><prompt>%s</prompt></query>" % PERSON))
        if (await ask.send()).xml[0].findtext("{jabber:iq:gateway}jid") != contact:
            raise RuntimeError("prompt: not %s" % contact)
        step("prompt")

        search = await self.make_iq_get(ito=GATEWAY, queryxmlns="jabber:iq:search").send()
        reply = self["xep_0004"].make_form(ftype="submit")
        reply.add_field(var="FORM_TYPE", ftype="hidden", value="jabber:iq:search")
        for name in search["search"]["form"].get_fields():
            if name == "name":
                reply.add_field(var=name, value="urse")
        ask = self.make_iq_set(ito=GATEWAY)
        ask["search"].append(reply)
        found = (await ask.send())["search"]["form"]["items"]
        if [item["jid"] for item in found] != [contact]:
            raise RuntimeError("search: %s" % found)
        step("search")

    async def share(self, contact):
        """A file each way (XEP-0066, 0363)."""
        # Its own search for the service is not made for Python 3.11.
        self["xep_0363"].upload_service = slixmpp.JID("upload." + self.boundjid.domain)
        url = await self["xep_0363"].upload_file("rose.png", size=len(PICTURE), content_type="image/png", input_file=io.BytesIO(PICTURE))
        message = self.make_message(mto=contact, mbody=url, mtype="chat")
        message["oob"]["url"] = url
        message.send()
        step("file sent")
        got = await self.wait("file", lambda e, s: e == "message" and s["oob"]["url"] and s["from"].bare == contact)
        if got["body"] != got["oob"]["url"] or not got["body"].startswith("https://"):
            raise RuntimeError("file: %s" % got)
        data = await asyncio.get_event_loop().run_in_executor(None, fetch, got["body"])
        step("bytes " + hashlib.sha256(data).hexdigest())

    async def recognise(self, contact):
        """The person's name and picture (XEP-0054, 0084, 0153, 0172)."""
        step("picture, please")
        update = await self.wait("picture by vCard", lambda e, s: e == "vcard_avatar_update" and s["from"].bare == contact and s["vcard_temp_update"]["photo"])
        card = (await self["xep_0054"].get_vcard(contact, cached=False))["vcard_temp"]
        photo = card["PHOTO"]["BINVAL"]
        if card["FN"] != "The Nurse" or hashlib.sha1(photo).hexdigest() != update["vcard_temp_update"]["photo"]:
            raise RuntimeError("vCard: %s" % card["FN"])
        step("vCard")
        items = await self["xep_0060"].get_items(contact, "urn:xmpp:avatar:metadata")
        wanted = hashlib.sha1(photo).hexdigest()
        if [item["id"] for item in items["pubsub"]["items"]] != [wanted]:
            raise RuntimeError("avatar: %s" % items)
        data = await self["xep_0084"].retrieve_avatar(contact, wanted)
        if data["pubsub"]["items"]["item"]["avatar_data"]["value"] != photo:
            raise RuntimeError("avatar: not the photo")
        step("picture by PEP")


def fetch(url):
    # The context trusts whom SSL_CERT_FILE names.
    with urllib.request.urlopen(url, timeout=20, context=ssl.create_default_context()) as answer:
        return answer.read()


async def main():
    user = User()
    user.connect((HOST, int(PORT)), disable_starttls=True)
    try:
        await asyncio.wait_for(user.outcome, 120)
    finally:
        await user.disconnect()


asyncio.get_event_loop().run_until_complete(main())
