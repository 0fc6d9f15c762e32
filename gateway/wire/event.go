package wire

import "strconv"

// EventType is an event's "type".
type EventType string

const (
	EventPost                EventType = "post"
	EventPostEdited          EventType = "post_edited"
	EventPostDeleted         EventType = "post_deleted"
	EventNotification        EventType = "notification" // new, or again with a greater count
	EventNotificationDeleted EventType = "notification_deleted"
	EventMessage             EventType = "message"
	EventReceipt             EventType = "receipt"
	EventRead                EventType = "read"
	EventHidden              EventType = "hidden"
	EventShown               EventType = "shown"
	EventVoid                EventType = "void"
)

// Event is what one numbered frame tells. Type says which of the other fields
// are meant.
type Event struct {
	Type         EventType
	Post         *Post         // post, post_edited
	Notification *Notification // notification
	Message      *Message      // message
	Target       int64         // post_deleted, notification_deleted: the id; read, receipt: up to where
	Of           string        // read: the list
	Conversation int64         // receipt; read of messages; else 0
	User         string        // receipt, hidden, shown
	Read         bool          // receipt: read, and not only got
}

// AppendJSON encodes the event as one flat object that begins with its type.
func (e *Event) AppendJSON(dst []byte) []byte {
	dst = append(dst, `{"type":`...)
	dst = appendString(dst, string(e.Type))
	switch e.Type {
	case EventPost, EventPostEdited:
		dst = append(dst, ',')
		dst = e.Post.appendFields(dst)
	case EventPostDeleted:
		dst = append(dst, `,"post":`...)
		dst = appendID(dst, e.Target)
	case EventNotification:
		dst = append(dst, ',')
		dst = e.Notification.appendFields(dst)
	case EventNotificationDeleted:
		dst = append(dst, `,"notification":`...)
		dst = appendID(dst, e.Target)
	case EventMessage:
		dst = append(dst, ',')
		dst = e.Message.appendFields(dst)
	case EventReceipt:
		dst = append(dst, `,"conversation":`...)
		dst = appendID(dst, e.Conversation)
		dst = append(dst, `,"user":`...)
		dst = appendString(dst, e.User)
		dst = append(dst, `,"upto":`...)
		dst = appendID(dst, e.Target)
		dst = append(dst, `,"read":`...)
		dst = strconv.AppendBool(dst, e.Read)
	case EventRead:
		dst = append(dst, `,"of":`...)
		dst = appendString(dst, e.Of)
		if e.Conversation != 0 {
			dst = append(dst, `,"conversation":`...)
			dst = appendID(dst, e.Conversation)
		}
		dst = append(dst, `,"upto":`...)
		dst = appendID(dst, e.Target)
	case EventHidden, EventShown:
		dst = append(dst, `,"user":`...)
		dst = appendString(dst, e.User)
	}
	return append(dst, '}')
}
