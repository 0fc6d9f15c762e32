package wire

// scanner walks over the members of one JSON object, or the values of a list. What it is given must have
// passed json.Valid: it finds where values end and checks nothing.
type scanner struct {
	p []byte
	i int
}

// member returns the next member's name and the bytes of its value. It is
// called first with i behind the opening brace.
func (s *scanner) member() (name string, value []byte, ok bool) {
	s.skip()
	if s.peek() == ',' {
		s.i++
		s.skip()
	}
	if s.peek() != '"' {
		return "", nil, false
	}
	name = unquote(s.value())
	s.skip()
	s.i++ // the colon
	s.skip()
	return name, s.value(), true
}

// element returns the bytes of a list's next value. It is called first with i
// behind the opening bracket.
func (s *scanner) element() (value []byte, ok bool) {
	s.skip()
	if s.peek() == ',' {
		s.i++
		s.skip()
	}
	if c := s.peek(); c == ']' || c == 0 {
		return nil, false
	}
	return s.value(), true
}

// skip passes over white space.
func (s *scanner) skip() {
	for s.i < len(s.p) {
		switch s.p[s.i] {
		case ' ', '\t', '\r', '\n':
			s.i++
		default:
			return
		}
	}
}

func (s *scanner) peek() byte {
	if s.i < len(s.p) {
		return s.p[s.i]
	}
	return 0
}

// value passes over one value and returns its bytes.
func (s *scanner) value() []byte {
	start, depth := s.i, 0
	for s.i < len(s.p) {
		switch s.p[s.i] {
		case '"':
			s.str()
		case '{', '[':
			depth++
			s.i++
		case '}', ']':
			depth--
			s.i++
		default:
			s.i++
			if depth == 0 {
				s.literal()
			}
		}
		if depth == 0 {
			break
		}
	}
	return s.p[start:s.i]
}

// str passes over a string.
func (s *scanner) str() {
	for s.i++; s.i < len(s.p); s.i++ {
		switch s.p[s.i] {
		case '\\':
			s.i++
		case '"':
			s.i++
			return
		}
	}
}

// literal passes over the rest of a number, true, false or null.
func (s *scanner) literal() {
	for s.i < len(s.p) {
		switch s.p[s.i] {
		case ' ', '\t', '\r', '\n', ',', '}', ']', ':':
			return
		}
		s.i++
	}
}
