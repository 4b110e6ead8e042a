package main

import (
	"context"
	"fmt"
)

type keysCmd struct {
	List   keysListCmd   `cmd:"" help:"List the keys of store.key_file, and which of them opens the store."`
	Rotate keysRotateCmd `cmd:"" help:"Wrap the store with a new key."`
	Retire keysRetireCmd `cmd:"" help:"Take the old keys out of store.key_file."`
}

// Help is what postern keys --help adds.
func (keysCmd) Help() string {
	return `The key in store.key_file opens everything in the store. Change it when somebody may have seen it, or by habit:

  postern keys rotate    puts a new key before the old one in the file, and wraps the store with it; gateways go on
  postern keys retire    takes the old key out of the file, once every gateway and every copy has the new one

With several gateways: postern keys rotate --prepare writes the file only; copy it to all machines, then rotate on one.
An old backup of the store opens with its old key alone: keep that as long as the backup, apart from it.`
}

type keysListCmd struct {
	configFlag
	jsonFlag
}

// Run prints a line for each key.
func (c *keysListCmd) Run(ctx context.Context, io *console) error {
	v, err := c.vault(ctx, io)
	if err != nil {
		return err
	}
	defer v.Close()
	keys, err := v.StoreKeys(ctx)
	if err != nil {
		return err
	}
	t := table{{"KEY", "USED"}}
	for _, k := range keys {
		used := "-"
		if k.Used {
			used = "opens the store"
		}
		t = append(t, []string{k.Name, used})
	}
	return c.print(io, keys, t)
}

type keysRotateCmd struct {
	configFlag
	Prepare bool `help:"Write the file only, so that it can be copied to other gateways first."`
}

// Run says what is left to do.
func (c *keysRotateCmd) Run(ctx context.Context, io *console) error {
	v, err := c.vault(ctx, io)
	if err != nil {
		return err
	}
	defer v.Close()
	if err := v.PrepareKey(ctx); err != nil {
		return err
	}
	if c.Prepare {
		_, err = fmt.Fprintln(io.out, "The new key stands first in store.key_file, and the store has the old one still.\nCopy the file to every gateway's machine, then run postern keys rotate on one.")
		return err
	}
	if _, err := v.Audit.Add(ctx, cliActor, "keys.rotate", ""); err != nil {
		return err
	}
	if err := v.RotateKey(ctx); err != nil {
		return err
	}
	_, err = fmt.Fprintln(io.out, "The store is wrapped with the first key of store.key_file. Keep a copy of the file, apart from the store's backups.\nWhen every gateway's machine has it: postern keys retire.")
	return err
}

type keysRetireCmd struct{ configFlag }

// Run says how many keys went.
func (c *keysRetireCmd) Run(ctx context.Context, io *console) error {
	v, err := c.vault(ctx, io)
	if err != nil {
		return err
	}
	defer v.Close()
	if _, err := v.Audit.Add(ctx, cliActor, "keys.retire", ""); err != nil {
		return err
	}
	n, err := v.RetireKeys(ctx)
	if err != nil {
		return err
	}
	_, err = fmt.Fprintf(io.out, "%d old keys are out of store.key_file.\n", n)
	return err
}
