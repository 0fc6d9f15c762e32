// Package link carries messages from node to node over a bus that may lose them.
//
//	Send, Broadcast ─▶ one envelope being written per destination
//	                          │ one flusher
//	                          ▼
//	                    bus ─ ─ ─▶ envelope ─▶ Receiver.Receive, message by message
//	                                   └─ a number is missing ─▶ Receiver.Lost
//
// Each message to a node has a number, counted by its sender for each
// incarnation of the receiver. The receiver notices a gap by the next message, a
// silent tail by the sender's next heartbeat, and says Lost, once; what comes
// late or twice is dropped. Nothing is sent again here: Package route knows what
// was lost by what it lacks.
//
// Whatever is pending for a destination leaves as one envelope, which fills while
// the bus is busy. An event's body stands once in it, however many deliveries
// refer to it. To a node that hears announces an event that was announced a
// moment ago goes as its position.
package link
