//! The custom handler of Azure Functions as a process, started by the host in this repository from the folder that is
//! deployed, on Azurite and on the peer of Service Bus.

#[path = "azure/rig.rs"]
mod rig;
#[path = "azure/trouble.rs"]
mod trouble;
#[path = "azure/uploads.rs"]
mod uploads;
