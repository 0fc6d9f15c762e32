package feedengine

// MaxUserBytes is the length of the longest user id.
const MaxUserBytes = 64

// ValidUser reports whether s may be a user id: 1 to 64 bytes of
// A-Z a-z 0-9 . _ : @ - .
func ValidUser(s string) bool {
	if len(s) == 0 || len(s) > MaxUserBytes {
		return false
	}
	for i := range len(s) {
		switch c := s[i]; {
		case 'a' <= c && c <= 'z', 'A' <= c && c <= 'Z', '0' <= c && c <= '9':
		case c == '.', c == '_', c == ':', c == '@', c == '-':
		default:
			return false
		}
	}
	return true
}
