package main

import (
	"encoding/json"
	"fmt"
	"time"

	"github.com/google/uuid"
)

// An envelope is what stands around every event on a bus.
type envelope struct {
	ID        string          `json:"id"`
	Timestamp time.Time       `json:"timestamp"`
	Type      string          `json:"type"`
	Payload   json.RawMessage `json:"payload"`
}

// The types of event.
const (
	typeUploaded = "profile.uploaded"
	typeMerged   = "profile.merged"
	typeDeleted  = "profile.deleted"
)

// An event is what an envelope carries.
type event interface {
	// kind is its type.
	kind() string
	// key is what orders it: the application's name.
	key() string
}

type uploaded struct {
	App        string `json:"app"`
	ProfileKey string `json:"profileKey"`
}

type merged struct {
	App        string `json:"app"`
	ProfileKey string `json:"profileKey"`
	MergedKey  string `json:"mergedKey"`
}

type deleted struct {
	App string `json:"app"`
}

func (uploaded) kind() string  { return typeUploaded }
func (merged) kind() string    { return typeMerged }
func (deleted) kind() string   { return typeDeleted }
func (e uploaded) key() string { return e.App }
func (e merged) key() string   { return e.App }
func (e deleted) key() string  { return e.App }

// wrap puts an event into a fresh envelope.
func wrap(e event) (envelope, error) {
	payload, err := json.Marshal(e)
	if err != nil {
		return envelope{}, err
	}
	return envelope{ID: uuid.NewString(), Timestamp: time.Now().UTC(), Type: e.kind(), Payload: payload}, nil
}

// decode reads an event of a known type.
func decode(kind string, payload []byte) (event, error) {
	switch kind {
	case typeUploaded:
		return decodeAs[uploaded](payload)
	case typeMerged:
		return decodeAs[merged](payload)
	case typeDeleted:
		return decodeAs[deleted](payload)
	default:
		return nil, fmt.Errorf("no type of event: %q", kind)
	}
}

func decodeAs[T event](payload []byte) (event, error) {
	var e T
	if err := json.Unmarshal(payload, &e); err != nil {
		return nil, err
	}
	return e, nil
}
