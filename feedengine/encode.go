package feedengine

// EncodeHandover writes a handover as bytes that DecodeHandover of this and of
// later versions reads.
func EncodeHandover(h *Handover) []byte { panic("being written") }

// DecodeHandover reads what EncodeHandover wrote. Whatever the bytes are, it
// allocates no more than a small multiple of them, and what it accepts is fit
// for Import.
func DecodeHandover(data []byte) (*Handover, error) { panic("being written") }
