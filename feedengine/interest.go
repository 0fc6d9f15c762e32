package feedengine

// Waits reports whether there are loads that wait for events which the engine has
// yet to apply, of whatever log.
func (e *Engine) Waits() bool { return len(e.loads) > 0 }

// Authors is how many have followers here.
func (e *Engine) Authors() int { return e.authors.live }

// EachAuthor shows everybody who has followers here, in no particular order. The
// name is valid during the call, which must not change the engine.
func (e *Engine) EachAuthor(see func(user []byte)) {
	for at := range e.authors.used {
		if e.authors.count(at) > 0 {
			see(e.authors.name(at))
		}
	}
}
