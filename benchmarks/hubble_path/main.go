// What `hubble observe --input-file FILE --verdict DROPPED -o json` does with every line, where the CLI cannot be had.
//
// A line is scanned, decoded by protojson into Cilium's GetFlowsResponse, and encoded again if its flow was dropped.
// The options are the CLI's; what the CLI does once a run (flags, configuration, other filters, colours) is left out.
package main

import (
	"bufio"
	"encoding/json"
	"log"
	"os"

	"github.com/cilium/cilium/api/v1/flow"
	"github.com/cilium/cilium/api/v1/observer"
	"google.golang.org/protobuf/encoding/protojson"
)

// printed is a response as Cilium's generated MarshalJSON writes it, which protoc-gen-go does not generate.
type printed struct{ response *observer.GetFlowsResponse }

func (p printed) MarshalJSON() ([]byte, error) {
	return protojson.MarshalOptions{UseProtoNames: true}.Marshal(p.response)
}

type reader struct {
	lines          *bufio.Scanner
	discardUnknown bool
}

// next gives the next response, or nil at the end. The first field that is not known is tried again without it, and
// from then on all such fields are passed over, as the CLI does.
func (r *reader) next() *observer.GetFlowsResponse {
	for r.lines.Scan() {
		response := &observer.GetFlowsResponse{}
		err := protojson.UnmarshalOptions{DiscardUnknown: r.discardUnknown}.Unmarshal(r.lines.Bytes(), response)
		if err != nil && !r.discardUnknown {
			first := err
			err = protojson.UnmarshalOptions{DiscardUnknown: true}.Unmarshal(r.lines.Bytes(), response)
			if err == nil {
				r.discardUnknown = true
				log.Printf("fields that are not in the .proto files are left out: %v", first)
			}
		}
		if err == nil {
			return response
		}
		log.Printf("not a flow: %v", err)
	}
	return nil
}

func main() {
	log.SetFlags(0)
	input, err := os.Open(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	found := &reader{lines: bufio.NewScanner(input)}
	encoder := json.NewEncoder(os.Stdout)
	for response := found.next(); response != nil; response = found.next() {
		if response.GetFlow().GetVerdict() != flow.Verdict_DROPPED {
			continue
		}
		if err := encoder.Encode(printed{response}); err != nil {
			log.Fatal(err)
		}
	}
	if err := found.lines.Err(); err != nil {
		log.Fatal(err)
	}
}
