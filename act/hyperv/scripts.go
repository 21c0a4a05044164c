package hyperv

// A script is PowerShell that takes its arguments in $a and returns objects.
type script struct {
	name  string
	reads bool // changes nothing, so it may be repeated
	text  string
}

// The scripts. VMs and checkpoints are named by their IDs only.
var (
	scriptIdentify = script{"identify", true, `param($a)
$os = Get-CimInstance Win32_OperatingSystem
$null = Get-VMHost
[pscustomobject]@{ product = [string]$os.Caption; version = [string]$os.Version; user = [Security.Principal.WindowsIdentity]::GetCurrent().Name; now = [DateTime]::UtcNow.ToString('o') }`}

	scriptList = script{"list", true, `param($a)
$uuid = @{}
Get-CimInstance -Namespace root\virtualization\v2 -ClassName Msvm_VirtualSystemSettingData |
  Where-Object { $_.VirtualSystemType -eq 'Microsoft:Hyper-V:System:Realized' } |
  ForEach-Object { $uuid[[string]$_.VirtualSystemIdentifier] = ([string]$_.BIOSGUID).Trim('{','}') }
Get-VM | ForEach-Object {
  $n = @(Get-VMNetworkAdapter -VM $_)
  [pscustomobject]@{ id = [string]$_.Id; name = [string]$_.Name; uuid = [string]$uuid[[string]$_.Id];
    ips = @($n | ForEach-Object { $_.IPAddresses } | Where-Object { $_ }); macs = @($n | ForEach-Object { [string]$_.MacAddress }) }
}`}

	scriptTree = script{"tree", true, `param($a)
Get-VMSnapshot -VM (Get-VM -Id ([guid]$a.vm)) | ForEach-Object {
  [pscustomobject]@{ id = [string]$_.Id; name = [string]$_.Name; parent = [string]$_.ParentSnapshotId; created = $_.CreationTime.ToUniversalTime().ToString('o') }
}`}

	// The type of checkpoint is a property of the VM: it is set for this one
	// checkpoint, and set back whatever happens.
	scriptCreate = script{"create", false, `param($a)
$vm = Get-VM -Id ([guid]$a.vm)
$old = [string]$vm.CheckpointType
$set = $a.type -and ($a.type -ne $old)
try {
  if ($set) { Set-VM -VM $vm -CheckpointType $a.type }
  Checkpoint-VM -VM $vm -SnapshotName $a.name -Confirm:$false
} finally {
  if ($set) { Set-VM -VM $vm -CheckpointType $old }
}`}

	scriptRemove = script{"remove", false, `param($a)
Get-VMSnapshot -VM (Get-VM -Id ([guid]$a.vm)) | Where-Object { [string]$_.Id -eq $a.snapshot } | Remove-VMSnapshot -Confirm:$false`}

	scriptRevert = script{"revert", false, `param($a)
$s = @(Get-VMSnapshot -VM (Get-VM -Id ([guid]$a.vm)) | Where-Object { [string]$_.Id -eq $a.snapshot })
if ($s.Count -ne 1) { throw 'the checkpoint is gone' }
Restore-VMSnapshot -VMSnapshot $s[0] -Confirm:$false`}

	scriptPower = script{"power", true, `param($a)
[pscustomobject]@{ state = [string](Get-VM -Id ([guid]$a.vm)).State }`}

	scriptSwitch = script{"switch", false, `param($a)
$vm = Get-VM -Id ([guid]$a.vm)
switch ($a.action) {
  'on' { if ([string]$vm.State -eq 'Paused') { Resume-VM -VM $vm } else { Start-VM -VM $vm } }
  'off' { Stop-VM -VM $vm -TurnOff -Force -Confirm:$false }
  'ask' { Stop-VM -VM $vm -Force -Confirm:$false }
}`}

	scriptCheck = script{"check", true, `param($a)
$vm = Get-VM -Id ([guid]$a.vm)
$disks = @(Get-VMHardDiskDrive -VM $vm)
$volume = New-Object IO.DriveInfo ([IO.Path]::GetPathRoot([string]$vm.Path))
[pscustomobject]@{ type = [string]$vm.CheckpointType; passthrough = @($disks | Where-Object { $_.DiskNumber -ne $null }).Count;
  shared = @($disks | Where-Object { $_.SupportPersistentReservations }).Count; volume = [string]$volume.Name;
  free = [int64]$volume.AvailableFreeSpace; total = [int64]$volume.TotalSize }`}
)

// scripts lists them all, for checks of their syntax.
var scripts = []script{scriptIdentify, scriptList, scriptTree, scriptCreate, scriptRemove, scriptRevert, scriptPower, scriptSwitch, scriptCheck}
