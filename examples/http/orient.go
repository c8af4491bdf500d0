// upright serve, then: go run orient.go photo.jpg [ADDRESS]. Only the standard library is used.
package main

import (
	"encoding/json"
	"fmt"
	"io"
	"log"
	"net/http"
	"os"
)

func main() {
	address := "http://127.0.0.1:8000"
	if len(os.Args) > 2 {
		address = os.Args[2]
	}
	file, err := os.Open(os.Args[1])
	if err != nil {
		log.Fatal(err)
	}
	defer file.Close()
	answer, err := http.Post(address+"/v1/orientation", "application/octet-stream", file)
	if err != nil {
		log.Fatal(err)
	}
	defer answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		text, _ := io.ReadAll(answer.Body)
		log.Fatal(string(text))
	}
	var orientation struct{ Turn *int }
	if err := json.NewDecoder(answer.Body).Decode(&orientation); err != nil {
		log.Fatal(err)
	}
	if orientation.Turn == nil {
		fmt.Println("unsure")
	} else {
		fmt.Printf("turn it %d° clockwise\n", *orientation.Turn)
	}
}
