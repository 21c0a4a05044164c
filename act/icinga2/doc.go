package icinga2
