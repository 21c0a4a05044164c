package main

type archiveCmd struct{}
