package app

// Close frees what Build opened, for an App that is not run.
func (a *App) Close() { a.close() }

func (a *App) closeStore() {
	if a.store != nil {
		if err := a.store.Close(); err != nil {
			a.log.Warn("store not closed in order", "err", err)
		}
	}
	if a.replica != nil {
		a.replica.close()
	}
	a.store, a.replica = nil, nil
}

func (a *App) close() {
	a.closeTracing()
	a.closeStore()
	if a.files != nil {
		if err := a.files.Close(); err != nil {
			a.log.Warn("files on their way not removed", "err", err)
		}
		a.files = nil
	}
	for _, l := range []*listener{a.public, a.admin} {
		if l != nil && l.socket != nil {
			_ = l.socket.Close() // closed already when it was served
		}
	}
}
