package main

import (
	"context"

	"postern/cmd/internal/doctor"
)

type doctorCmd struct {
	configFlag
	jsonFlag
}

// Help is what postern doctor --help adds.
func (doctorCmd) Help() string {
	return `It reads the files, asks Redis, the XMPP server, the platforms and http.public_url, and says of each miss what users
will not have and what to add where:

  ok     as it should be
  loss   the service works, and users lack something
  fault  the service does not work, in whole or for an adapter: the command fails

A gateway that runs is not disturbed: what the server grants is asked in a component's name only while nobody is that
component.`
}

// Run looks at everything and says what it found.
func (c *doctorCmd) Run(ctx context.Context, io *console) error {
	cfg, err := c.load(io)
	if err != nil {
		return err
	}
	all := doctor.Examine(ctx, cfg, doctor.Options{})
	if c.JSON {
		err = c.print(io, all, nil)
	} else {
		err = doctor.Print(io.out, all)
	}
	if err == nil && doctor.Worst(all) == doctor.Fault {
		return errSaid
	}
	return err
}
