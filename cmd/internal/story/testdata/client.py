"""A user on slixmpp: registers with a gateway by ad-hoc command, adds a person, and talks.

Arguments: host port jid password gateway person say expect
Each line of output is one step that went well; the exit status is 0 when all did.
"""

import asyncio
import re
import sys

import slixmpp

HOST, PORT, JID, PASSWORD, GATEWAY, PERSON, SAY, EXPECT = sys.argv[1:]


def step(what):
    print(what, flush=True)


class User(slixmpp.ClientXMPP):
    """Answers subscription requests and receipt requests as slixmpp does by itself."""

    def __init__(self):
        super().__init__(JID, PASSWORD)
        for plugin in ("xep_0004", "xep_0030", "xep_0050", "xep_0085", "xep_0115", "xep_0172", "xep_0184", "xep_0333"):
            self.register_plugin(plugin)
        self["feature_mechanisms"].unencrypted_plain = True
        self["feature_mechanisms"].unencrypted_scram = True
        self.auto_authorize = True
        self.auto_subscribe = True
        self.came = asyncio.Queue()
        self.outcome = asyncio.get_event_loop().create_future()
        self.add_event_handler("session_start", self.start)
        self.add_event_handler("failed_all_auth", lambda _: self.outcome.set_exception(RuntimeError("login refused")))
        for event in ("message", "receipt_received", "changed_subscription", "presence_available"):
            self.add_event_handler(event, lambda stanza, event=event: self.came.put_nowait((event, stanza)))

    async def start(self, _):
        try:
            await self.play()
            self.outcome.set_result(None)
        except Exception as error:  # whatever went wrong is the outcome
            self.outcome.set_exception(error)

    async def wait(self, what, match):
        """Waits for an event; what came before it is passed over."""
        while True:
            event, stanza = await asyncio.wait_for(self.came.get(), 30)
            if match(event, stanza):
                step(what)
                return stanza

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
        info = await self["xep_0030"].get_info(jid=GATEWAY)
        if not any(category == "gateway" for category, *_ in info["disco_info"]["identities"]):
            raise RuntimeError("no gateway: %s" % info)
        step("found")

        await self.command("jabber:iq:register", {"display": "Romeo"})
        step("registered")
        await self.wait("receipt of the consent", lambda e, s: e == "message" and "Receipt of your consent" in s["body"])
        await self.wait("gateway online", lambda e, s: e == "presence_available" and s["from"].bare == GATEWAY)

        contact = re.search(r"\S+@" + re.escape(GATEWAY), await self.command("add", {"query": PERSON})).group()
        step("added")
        await self.wait("contact online", lambda e, s: e == "presence_available" and s["from"].bare == contact)

        message = self.make_message(mto=contact, mbody=SAY, mtype="chat")
        message["id"] = self.new_id()
        message["request_receipt"] = True
        message.send()
        await self.wait("receipt", lambda e, s: e == "receipt_received" and s["receipt"] == message["id"])
        got = await self.wait("answer", lambda e, s: e == "message" and s["body"] == EXPECT and s["from"].bare == contact)
        if got["chat_state"] or not got["request_receipt"]:
            raise RuntimeError("answer: %s" % got)
        await self.get_roster()
        for jid in (GATEWAY, contact):
            if self.client_roster[jid]["subscription"] != "both":
                raise RuntimeError("roster: %s is %s" % (jid, self.client_roster[jid]["subscription"]))
        step("roster")


async def main():
    user = User()
    user.connect((HOST, int(PORT)), disable_starttls=True)
    try:
        await asyncio.wait_for(user.outcome, 60)
    finally:
        await user.disconnect()


asyncio.get_event_loop().run_until_complete(main())
