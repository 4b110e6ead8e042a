package xmpp

const nsRegister = "jabber:iq:register"
