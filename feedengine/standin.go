package feedengine

// Name is the display name of a resident user.
func (e *Engine) Name(user string) (name string, resident bool) { return "", false }
