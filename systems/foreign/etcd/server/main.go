// etcd in a process that finds its peers by the addresses in PEER_ADDRESSES: n2.etcd=127.0.1.1,n3.etcd=127.0.1.1.
//
// Members of a cluster tell each other one URL of each. A name in it that each process looks up for itself lets every pair
// of them have a link of its own.
package main

import (
	"context"
	"encoding/binary"
	"io"
	"net"
	"os"
	"strings"

	"go.etcd.io/etcd/server/v3/etcdmain"
	"go.etcd.io/etcd/server/v3/storage/wal"
	"golang.org/x/net/dns/dnsmessage"
)

// What a run's nodes wrote is kept with it, and etcd takes the space of two segments at once, 64 MB each by itself.
const segmentBytes = 8 << 20

func main() {
	addresses := map[string]net.IP{}
	for _, pair := range strings.Split(os.Getenv("PEER_ADDRESSES"), ",") {
		if name, address, found := strings.Cut(pair, "="); found {
			addresses[name+"."] = net.ParseIP(address).To4()
		}
	}
	net.DefaultResolver = &net.Resolver{PreferGo: true, Dial: func(context.Context, string, string) (net.Conn, error) {
		ours, theirs := net.Pipe()
		go serve(ours, addresses)
		return theirs, nil
	}}
	wal.SegmentSizeBytes = segmentBytes
	etcdmain.Main(os.Args)
}

// serve answers DNS queries that come over a stream (RFC 1035, section 4.2.2).
func serve(stream net.Conn, addresses map[string]net.IP) {
	defer stream.Close()
	for {
		var length uint16
		if binary.Read(stream, binary.BigEndian, &length) != nil {
			return
		}
		query := make([]byte, length)
		if _, err := io.ReadFull(stream, query); err != nil {
			return
		}
		answer, err := answerTo(query, addresses)
		if err != nil {
			return
		}
		if _, err := stream.Write(append(binary.BigEndian.AppendUint16(nil, uint16(len(answer))), answer...)); err != nil {
			return
		}
	}
}

func answerTo(query []byte, addresses map[string]net.IP) ([]byte, error) {
	var message dnsmessage.Message
	if err := message.Unpack(query); err != nil {
		return nil, err
	}
	message.Response = true
	message.Additionals = nil
	for _, question := range message.Questions {
		address, known := addresses[question.Name.String()]
		if !known {
			message.RCode = dnsmessage.RCodeNameError
		} else if question.Type == dnsmessage.TypeA {
			header := dnsmessage.ResourceHeader{Name: question.Name, Class: dnsmessage.ClassINET}
			body := &dnsmessage.AResource{A: [4]byte(address)}
			message.Answers = append(message.Answers, dnsmessage.Resource{Header: header, Body: body})
		}
	}
	return message.Pack()
}
